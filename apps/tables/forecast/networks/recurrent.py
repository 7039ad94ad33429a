"""Recurrent networks: all steps at once, or one after the other."""

import keras
from keras import ops

from apps.tables.forecast.config import AUTOREGRESSIVE
from apps.tables.forecast.networks.forecast_network import ForecastNetwork
from shared.layers import Dropout, RecurrentStack
from shared.layers.cell_stack import unstack
from shared.layers.scan import scan


@keras.saving.register_keras_serializable(package="kerasuite")
class RecurrentForecaster(ForecastNetwork):
    """Elman, LSTM or GRU layers that read all channels step by step.

    Direct, the last output and the covariates give all steps at once. Autoregressive, each output
    gives the next step, which is the next input; in training that is the true one (teacher
    forcing), and of quantiles it is the median. Beside the value stand the covariates of the step
    that is to be predicted, and zeros while the history is read.

    Args: those of `ForecastNetwork`.

    Reference: [Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735);
    teacher forcing: [Williams and Zipser, 1989](https://doi.org/10.1162/neco.1989.1.2.270)
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.config
        self.is_autoregressive = config.decoding == AUTOREGRESSIVE
        self.stack = RecurrentStack(
            config.hidden_dim, config.num_layers, config.architecture, config.dropout, name="stack"
        )
        self.dropout = Dropout(config.dropout, name="dropout")
        steps = 1 if self.is_autoregressive else self.horizon
        units = steps * self.channels * self.outputs_count
        self.head = keras.layers.Dense(units, dtype="float32", name="head")

    def build(self, input_shape=None):
        width, features = self.channels, self.config.hidden_dim
        if self.is_autoregressive:
            width += self.covariates
        else:
            features += self.horizon * self.covariates
        self.stack.build((None, None, width))
        self.head.build((None, features))
        self.built = True

    def forecast(self, history, x, training=None):
        if not self.is_autoregressive:
            outputs = self._direct(history, x, training)
        elif "answers" in x:
            outputs = self._forced(history, x, training)
        else:
            outputs = self._decoded(history, x)
        return ops.reshape(outputs, (-1, self.horizon, self.channels, self.outputs_count))

    def _direct(self, history, x, training):
        outputs, _ = self.stack(history, training=training)
        last = self.dropout(outputs[:, -1], training=training)
        if self.covariates:
            future = ops.cast(self.flat_future(x), last.dtype)
            last = ops.concatenate([last, future], axis=-1)
        return self.head(last)

    # === One step after the other ===

    def _forced(self, history, x, training):
        """All steps in one pass over the truth."""
        values = ops.concatenate([history, x["answers"][:, :-1]], axis=1)
        inputs = self._with_covariates(values, x, self.horizon)
        outputs, _ = self.stack(inputs, training=training)
        return self.head(self.dropout(outputs[:, -self.horizon :], training=training))

    def _decoded(self, history, x):
        """Each step from the forecast of the one before."""
        _, states = self.stack(self._with_covariates(history[:, :-1], x, 0))
        future = x["future"] if self.covariates else self._nothing(history)
        last = ops.cast(history[:, -1], self.head.compute_dtype)

        def step(now, state):
            value, *states = state
            value = ops.cast(value, self.stack.compute_dtype)
            inputs = value
            if self.covariates:
                inputs = ops.concatenate([value, ops.cast(now["future"], value.dtype)], axis=-1)
            outputs, states = self.stack.step(inputs, ops.stack(states, axis=1))
            found = self.head(outputs)
            by_channel = ops.reshape(found, (-1, self.channels, self.outputs_count))
            return found, [by_channel[..., self.median], *unstack(states)]

        return scan(step, {"future": ops.cast(future, last.dtype)}, [last, *unstack(states)])

    def _nothing(self, history):
        """A sequence (B, H, 1) of zeros."""
        return ops.repeat(ops.zeros_like(history[:, :1, :1]), self.horizon, axis=1)

    def _with_covariates(self, values, x, predicted: int):
        """Values with the covariates of the last `predicted` steps beside them, before them zeros.

        Args:
            values: float tensor (B, T, C).
            x: all inputs.
            predicted: int. H, or 0.
        """
        if not self.covariates:
            return values
        future = x["future"][:, :predicted]
        zeros = ops.zeros_like(values[:, : values.shape[1] - predicted, :1])
        zeros = ops.repeat(zeros, self.covariates, axis=-1)
        return ops.concatenate([values, ops.concatenate([zeros, future], axis=1)], axis=-1)
