"""Dropout."""

import keras
from keras import ops

DRAWS = 2**16  # Values of the small random number that decides over one element.


@keras.saving.register_keras_serializable(package="kerasuite")
class Dropout(keras.layers.Dropout):
    """Keras's layer with half the random numbers, which cost most of its time on the CPU.

    Keras draws 32 bits for each element. Sixteen are enough to drop it with a probability that is
    right to 1/131,072, so one draw decides over two elements.

    Args:
        rate: float in [0, 1). Probability that an element becomes zero.
        seed: int, optional.

    Call arguments:
        inputs: float tensor (...).
        training: bool. Otherwise nothing is dropped.

    Returns:
        Tensor like `inputs`; what is kept is divided by the probability of being kept.

    Reference: [Srivastava et al., 2014](https://jmlr.org/papers/v15/srivastava14a.html)
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be in [0, 1), received {rate}")
        super().__init__(rate, seed=seed, **kwargs)

    def call(self, inputs, training=False):
        dropped = min(round(DRAWS * self.rate), DRAWS - 1)
        if not training or not dropped:
            return inputs
        keep = ops.cast(self._draws(inputs) >= dropped - DRAWS // 2, inputs.dtype)
        return inputs * (keep * (DRAWS / (DRAWS - dropped)))

    def _draws(self, inputs):
        """A number from -32,768 to 32,767 for each element."""
        count = ops.size(inputs)
        pairs = keras.random.randint(
            ((count + 1) // 2, 1), -(2**31), 2**31 - 1, dtype="int32", seed=self.seed_generator
        )
        halves = ops.reshape(ops.view(pairs, "int16"), (-1,))
        return ops.reshape(halves[:count], ops.shape(inputs))

    def get_config(self):
        config = super().get_config()
        return {name: config[name] for name in ("name", "trainable", "dtype", "rate", "seed")}
