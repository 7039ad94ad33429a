"""A Transformer over patches of time."""

import keras
from keras import ops

from apps.tables.forecast.networks.forecast_network import ForecastNetwork
from shared.layers import Dropout, LayerNormalization, LearnedPositions, TransformerEncoderBlock


@keras.saving.register_keras_serializable(package="kerasuite")
class PatchTransformer(ForecastNetwork):
    """Patches of the steps of each channel as tokens of a Transformer's encoder.

    Args: those of `ForecastNetwork`.

    Reference: [Vaswani et al., 2017](https://arxiv.org/abs/1706.03762);
    [Nie et al., 2023](https://arxiv.org/abs/2211.14730), here with patches that do not overlap and
    with layer normalisation before each sublayer
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config = self.config
        self.patches = self.history_steps // config.patch_length
        self.embedding = keras.layers.Dense(config.hidden_dim, name="embedding")
        self.positions = LearnedPositions(self.patches, name="positions")
        self.dropout = Dropout(config.dropout, name="dropout")
        self.blocks = [
            TransformerEncoderBlock(
                config.num_heads,
                config.hidden_dim,
                4 * config.hidden_dim,
                dropout=config.dropout,
                activation="gelu",
                name=f"block_{index}",
            )
            for index in range(config.num_layers)
        ]
        self.norm = LayerNormalization(name="norm")
        units = self.horizon * self.outputs_count
        self.head = keras.layers.Dense(units, dtype="float32", name="head")

    def build(self, input_shape=None):
        width = self.config.hidden_dim
        self.embedding.build((None, self.patches, self.config.patch_length))
        for layer in (self.positions, *self.blocks, self.norm):
            layer.build((None, self.patches, width))
        features = self.patches * width + self.horizon * self.covariates
        self.head.build((None, self.channels, features))
        self.built = True

    def forecast(self, history, x, training=None):
        patches = ops.reshape(
            ops.transpose(history, (0, 2, 1)), (-1, self.patches, self.config.patch_length)
        )
        hidden = self.dropout(self.positions(self.embedding(patches)), training=training)
        for block in self.blocks:
            hidden = block(hidden, training=training)
        width = self.patches * self.config.hidden_dim
        vectors = ops.reshape(self.norm(hidden), (-1, self.channels, width))
        return self.steps_of_channels(self.head(self.with_future(vectors, x)))
