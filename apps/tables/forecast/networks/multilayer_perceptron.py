"""The multi-layer perceptron over time."""

import keras
from keras import ops

from apps.tables.forecast.networks.forecast_network import ForecastNetwork
from shared.layers import Dropout


@keras.saving.register_keras_serializable(package="kerasuite")
class TimePerceptron(ForecastNetwork):
    """Dense layers with ReLU and dropout over the steps of each channel, then all its outputs.

    Args: those of `ForecastNetwork`.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.config
        self.hidden = [
            keras.layers.Dense(config.hidden_dim, activation="relu", name=f"hidden_{index}")
            for index in range(config.num_layers)
        ]
        self.dropout = Dropout(config.dropout, name="dropout")
        units = self.horizon * self.outputs_count
        self.head = keras.layers.Dense(units, dtype="float32", name="head")

    def build(self, input_shape=None):
        width = self.history_steps + self.horizon * self.covariates
        for layer in (*self.hidden, self.head):
            layer.build((None, self.channels, width))
            width = layer.units
        self.built = True

    def forecast(self, history, x, training=None):
        vectors = self.with_future(ops.transpose(history, (0, 2, 1)), x)
        for layer in self.hidden:
            vectors = self.dropout(layer(vectors), training=training)
        return self.steps_of_channels(self.head(vectors))
