"""The multi-layer perceptron, and without hidden layers the perceptron."""

import keras

from apps.tables.perceptrons.networks.row_vector import row_vector
from apps.tables.perceptrons.networks.table_network import TableNetwork
from shared.layers import Dropout

_ACTIVATIONS = {
    "relu": "relu",
    "leaky-relu": "leaky_relu",
    "elu": "elu",
    "swish": "silu",
    "gelu": "gelu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
}

_TRAINED = (Dropout, keras.layers.BatchNormalization)


def activation(name: str, layer_name: str, dtype=None) -> keras.layers.Layer:
    """The layer of an activation; only PReLU has weights, a slope for each unit.

    Args:
        name: of the activation, as in the configuration.
        layer_name: of the layer.
        dtype: policy of the layer, by default the global one.
    """
    if name == "prelu":
        quarter = keras.initializers.Constant(0.25)
        return keras.layers.PReLU(alpha_initializer=quarter, name=layer_name, dtype=dtype)
    return keras.layers.Activation(_ACTIVATIONS[name], name=layer_name, dtype=dtype)


@keras.saving.register_keras_serializable(package="kerasuite")
class MultilayerPerceptron(TableNetwork):
    """Dense layers, each with normalisation, activation and dropout; then the outputs.

    Without hidden layers it is linear: Rosenblatt's perceptron, logistic or linear regression. Its
    weights then begin with zeros.

    Args: those of `TableNetwork`.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.config
        self.row_vector = row_vector(config, self.category_sizes)
        self.hidden = [
            layer
            for index, width in enumerate(config.widths)
            for layer in self._hidden(index, width)
        ]
        zeros = {} if config.widths else {"kernel_initializer": "zeros"}
        self.output_layer = self.head(**zeros)

    def _hidden(self, index: int, width: int) -> list[keras.layers.Layer]:
        config = self.config
        layers = [self.dense(width, f"hidden_{index}")]
        if config.normalization != "none":
            layers.append(self.normalization(config.normalization, f"norm_{index}"))
        layers.append(activation(config.activation, f"activation_{index}"))
        return [*layers, Dropout(config.dropout, name=f"dropout_{index}")]

    def build(self, input_shape=None):
        numbers, categories = (None, self.number_slots), (None, len(self.category_sizes))
        self.row_vector.build(numbers, categories)
        shape = self.row_vector.compute_output_shape(numbers, categories)
        for layer in self.hidden:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.output_layer.build(shape)
        self.built = True

    def call(self, x, training=None):
        hidden = self.row_vector(x["numbers"], x["categories"])
        for layer in self.hidden:
            # Only some layers do otherwise in training.
            options = {"training": training} if isinstance(layer, _TRAINED) else {}
            hidden = layer(hidden, **options)
        return self.output_layer(hidden)
