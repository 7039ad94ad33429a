"""One linear layer over time, and its two variants."""

import keras
import numpy as np
from keras import ops

from apps.tables.forecast.networks.forecast_network import ForecastNetwork


@keras.saving.register_keras_serializable(package="kerasuite")
class Linear(ForecastNetwork):
    """Every predicted step is a weighted sum of the steps that are read, for all channels alike.

    Covariates are added as a linear regression, with the same weights for every step. All weights
    begin with zeros.

    Args: those of `ForecastNetwork`.

    Reference: [Zeng et al., 2023](https://arxiv.org/abs/2205.13504)
    """

    instance_norm = "none"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.layers_of_parts = [self._over_time(name) for name in self.parts_names]
        self.regression = None
        if self.covariates:
            units = self.channels * self.outputs_count
            self.regression = self._dense(units, "regression", use_bias=False)

    parts_names = ("linear",)

    def _over_time(self, name: str) -> keras.layers.Dense:
        return self._dense(self.horizon * self.outputs_count, name)

    @staticmethod
    def _dense(units: int, name: str, **options) -> keras.layers.Dense:
        return keras.layers.Dense(
            units, kernel_initializer="zeros", dtype="float32", name=name, **options
        )

    def build(self, input_shape=None):
        for layer in self.layers_of_parts:
            layer.build((None, self.channels, self.history_steps))
        if self.regression is not None:
            self.regression.build((None, self.horizon, self.covariates))
        self.built = True

    def parts(self, vectors):
        """The parts of histories (B, C, L), one for each layer."""
        return [vectors]

    def forecast(self, history, x, training=None):
        parts = self.parts(ops.transpose(history, (0, 2, 1)))
        outputs = self.steps_of_channels(
            sum(layer(part) for layer, part in zip(self.layers_of_parts, parts, strict=True))
        )
        if self.regression is None:
            return outputs
        shape = (-1, self.horizon, self.channels, self.outputs_count)
        return outputs + ops.reshape(self.regression(x["future"]), shape)


@keras.saving.register_keras_serializable(package="kerasuite")
class NLinear(Linear):
    """`Linear` of a window less its last value, which is added again.

    Args: those of `ForecastNetwork`.

    Reference: [Zeng et al., 2023](https://arxiv.org/abs/2205.13504)
    """

    instance_norm = "last"


@keras.saving.register_keras_serializable(package="kerasuite")
class DLinear(Linear):
    """`Linear` of the trend, a moving average, and another one of what remains.

    Args: those of `ForecastNetwork`.

    Reference: [Zeng et al., 2023](https://arxiv.org/abs/2205.13504)
    """

    parts_names = ("trend", "remainder")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.averages = averaging_matrix(self.history_steps, self.config.moving_average)

    def parts(self, vectors):
        trend = ops.matmul(vectors, ops.convert_to_tensor(self.averages, vectors.dtype))
        return [trend, vectors - trend]


def averaging_matrix(length: int, steps: int) -> np.ndarray:
    """The matrix (L, L) that takes moving averages; beyond the ends it repeats the end values.

    Args:
        length: int. L.
        steps: int. Steps of the average, with the same number before and after each.
    """
    before = (steps - 1) // 2
    matrix = np.zeros((length, length), np.float32)
    for output in range(length):
        for offset in range(steps):
            matrix[np.clip(output - before + offset, 0, length - 1), output] += 1 / steps
    return matrix
