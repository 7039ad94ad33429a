"""Every use of Keras's private interface, with the reason.

Each function here has a test in `tests/shared/engine/training/test_keras_patches.py` that fails as
soon as Keras no longer needs it.
"""

import keras


def expect_reduced_gradients(optimizer: keras.optimizers.Optimizer) -> None:
    """Lets `optimizer.apply` take gradients that are already summed over the replicas.

    Clipping by the global norm is right only after the all-reduce, but Keras 3 reduces inside
    `apply` and offers no switch (Keras 2 had `skip_gradients_aggregation`); its own
    `clipnorm` and `global_clipnorm` therefore clip each replica's part. The engine reduces,
    clips and then applies.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner._all_reduce_sum_gradients = list
