"""Dropout."""

import keras
from keras import ops

VALUES = 2**8  # Of the small random number that decides over one element.


@keras.saving.register_keras_serializable(package="kerasuite")
class Dropout(keras.layers.Dropout):
    """Keras's layer with a quarter of the random numbers, which cost most of its time on the CPU.

    Keras draws 32 bits for each element. Here one such draw decides over four elements, by eight
    bits each, as in FlashAttention. The rate becomes the nearest multiple of 1/256, and kept
    elements are scaled by that: the mean stays exact.

    Args:
        rate: float in [0, 1). Probability that an element becomes zero.
        seed: int, optional.

    Call arguments:
        inputs: float tensor (...).
        training: bool. Otherwise nothing is dropped.

    Returns:
        Tensor like `inputs`; kept elements are divided by the probability of being kept.

    Raises:
        ValueError: if the rate is outside [0, 1).

    Reference: [Srivastava et al., 2014](https://jmlr.org/papers/v15/srivastava14a.html);
    [Dao et al., 2022](https://arxiv.org/abs/2205.14135) for eight bits.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        if not 0 <= rate < 1:
            raise ValueError(f"`rate` must be in [0, 1), received {rate}")
        super().__init__(rate, seed=seed, **kwargs)

    def call(self, inputs, training=False):
        dropped = min(round(VALUES * self.rate), VALUES - 1)
        if not training or not dropped:
            return inputs
        keep = ops.cast(self._draws(inputs) >= dropped - VALUES // 2, inputs.dtype)
        return inputs * (keep * (VALUES / (VALUES - dropped)))

    def _draws(self, inputs):
        """A number from -128 to 127 for each element."""
        count = ops.size(inputs)
        fours = keras.random.randint(
            ((count + 3) // 4, 1), -(2**31), 2**31 - 1, dtype="int32", seed=self.seed_generator
        )
        single = ops.reshape(ops.view(fours, "int8"), (-1,))
        return ops.reshape(single[:count], ops.shape(inputs))

    def get_config(self):
        config = super().get_config()
        return {name: config[name] for name in ("name", "trainable", "dtype", "rate", "seed")}
