"""A residual network on tables."""

import keras

from apps.tables.perceptrons.networks.multilayer_perceptron import activation
from apps.tables.perceptrons.networks.row_vector import row_vector
from apps.tables.perceptrons.networks.table_network import TableNetwork
from shared.layers import Dropout

# Width within a block over the width between blocks.
EXPANSION = 2


@keras.saving.register_keras_serializable(package="kerasuite")
class DenseResidualBlock(keras.layers.Layer):
    """Two dense layers whose outputs are added to what they read.

        Block(x) = x + Dropout(Linear(Dropout(ReLU(Linear(BatchNorm(x))))))

    Args:
        intermediate_dim: int. Width between the two layers.
        activation: str. Name of an activation, see `activation`.
        dropout: float. Rate of both dropouts.
        kernel_regularizer: penalty of the kernels, or None.
        synchronized: bool. Synchronises batch normalisation over the replicas.

    Call arguments:
        inputs: float tensor (B, D).
        training: bool or None.

    Returns:
        Tensor (B, D).

    Reference: [Gorishniy et al., 2021, section 3.2](https://arxiv.org/abs/2106.11959)
    """

    def __init__(
        self,
        intermediate_dim: int,
        activation: str = "relu",
        dropout: float = 0.0,
        kernel_regularizer=None,
        synchronized: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.activation = activation
        self.dropout = dropout
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.synchronized = synchronized

    def build(self, input_shape):
        policy, width = self.dtype_policy, input_shape[-1]
        wide = (*input_shape[:-1], self.intermediate_dim)
        self.norm = keras.layers.BatchNormalization(
            momentum=0.9, synchronized=self.synchronized, name="norm", dtype=policy
        )
        self.norm.build(input_shape)
        self.expand = self._dense(self.intermediate_dim, "expand")
        self.expand.build(input_shape)
        self.activate = activation(self.activation, "activation", policy)
        self.activate.build(wide)
        self.inner_dropout = Dropout(self.dropout, dtype=policy)
        self.reduce = self._dense(width, "reduce")
        self.reduce.build(wide)
        self.outer_dropout = Dropout(self.dropout, dtype=policy)
        self.built = True

    def _dense(self, units: int, name: str) -> keras.layers.Dense:
        penalty, policy = self.kernel_regularizer, self.dtype_policy
        return keras.layers.Dense(units, kernel_regularizer=penalty, name=name, dtype=policy)

    def call(self, inputs, training=None):
        hidden = self.activate(self.expand(self.norm(inputs, training=training)))
        hidden = self.reduce(self.inner_dropout(hidden, training=training))
        return inputs + self.outer_dropout(hidden, training=training)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": self.activation,
            "dropout": self.dropout,
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "synchronized": self.synchronized,
        }


@keras.saving.register_keras_serializable(package="kerasuite")
class ResidualNetwork(TableNetwork):
    """A dense layer, residual blocks, normalisation, activation and the outputs.

        ResNet(x) = Linear(ReLU(BatchNorm(Block(...Block(Linear(x))))))

    Args: those of `TableNetwork`.

    Reference: [Gorishniy et al., 2021, section 3.2](https://arxiv.org/abs/2106.11959)
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.config
        self.row_vector = row_vector(config, self.category_sizes)
        self.first = self.dense(config.hidden_dim, "first")
        self.blocks = [
            DenseResidualBlock(
                EXPANSION * config.hidden_dim,
                config.activation,
                config.dropout,
                self.penalty(),
                self.synchronized,
                name=f"block_{index}",
            )
            for index in range(config.num_blocks)
        ]
        self.norm = self.normalization("batch", "norm")
        self.activate = activation(config.activation, "activation")
        self.output_layer = self.head()

    def build(self, input_shape=None):
        numbers, categories = (None, self.number_slots), (None, len(self.category_sizes))
        self.row_vector.build(numbers, categories)
        self.first.build(self.row_vector.compute_output_shape(numbers, categories))
        for layer in (*self.blocks, self.norm, self.activate, self.output_layer):
            layer.build((None, self.config.hidden_dim))
        self.built = True

    def call(self, x, training=None):
        hidden = self.first(self.row_vector(x["numbers"], x["categories"]))
        for block in self.blocks:
            hidden = block(hidden, training=training)
        hidden = self.activate(self.norm(hidden, training=training))
        return self.output_layer(hidden)
