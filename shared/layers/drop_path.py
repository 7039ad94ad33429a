"""Stochastic depth: whole residual branches are dropped, one decision per example."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasuite")
class DropPath(keras.layers.Layer):
    """Zeroes whole examples at random during training (stochastic depth).

    Put at the end of a residual branch: an example whose branch is dropped passes through the
    block by the shortcut alone. The other examples are scaled by `1 / (1 - rate)`, so that the
    expected value is that of the input, and inference is the identity.

    Args:
        rate: float in [0, 1). Probability to drop an example.
        seed: int or None. Makes the sequence of decisions reproducible.

    Call arguments:
        inputs: float tensor (B, ...).
        training: bool or None. Nothing is dropped outside training.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if the rate is outside [0, 1).

    Reference: [Huang et al., 2016](https://arxiv.org/abs/1603.09382)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be in [0, 1), not {rate}")
        self.rate = rate
        self.seed = seed
        self.supports_masking = True
        # An idle layer owns no random state, so that it adds nothing to checkpoints.
        self.seed_generator = keras.random.SeedGenerator(seed) if rate > 0 else None

    def call(self, inputs, training=None):
        if not training or self.rate == 0:
            return inputs
        one_decision_per_example = (ops.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
        return keras.random.dropout(
            inputs, self.rate, noise_shape=one_decision_per_example, seed=self.seed_generator
        )

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
