"""FT-Transformer: a token for each column, and attention between them."""

import keras
from keras import ops

from apps.tables.perceptrons.networks.feature_embeddings import (
    CategoryEmbedding,
    LinearEmbedding,
    PeriodicEmbedding,
    uniform,
)
from apps.tables.perceptrons.networks.table_network import TableNetwork
from shared.layers import LayerNormalization, TransformerEncoderBlock

# Width inside the feed-forward networks over D, as in the paper's default configuration.
EXPANSION = 4 / 3
EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="kerasuite")
class FirstBlock(TransformerEncoderBlock):
    """A block without the normalisation before its attention.

    "We had to remove the first normalization from the first Transformer layer to achieve good
    performance." (section 3.3)

    Args: those of `TransformerEncoderBlock`.
    """

    def _normalization(self, name, input_shape):
        if name == "attention_norm":
            return keras.layers.Identity(name=name)
        return super()._normalization(name, input_shape)


@keras.saving.register_keras_serializable(package="kerasuite")
class FTTransformer(TableNetwork):
    """Feature tokenizer, Transformer blocks, and the outputs of the [CLS] token.

        prediction = Linear(ReLU(LayerNorm(T_cls)))

    Blocks are normalised before each sublayer, and their feed-forward networks have ReGLU.

    Args: those of `TableNetwork`.

    Reference: [Gorishniy et al., 2021, section 3.3](https://arxiv.org/abs/2106.11959)
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config, dim = self.config, self.config.hidden_dim
        self.tokenize_numbers = self._number_tokens() if self.number_slots else None
        self.tokenize_categories = (
            CategoryEmbedding(self.category_sizes, dim, use_bias=True, name="category_tokens")
            if self.category_sizes
            else None
        )
        self.blocks = [
            (TransformerEncoderBlock if index else FirstBlock)(
                config.num_heads,
                dim,
                round(EXPANSION * dim),
                norm="pre",
                dropout=config.dropout,
                attention_dropout=config.attention_dropout,
                activation="reglu",
                epsilon=EPSILON,
                name=f"block_{index}",
            )
            for index in range(config.num_blocks)
        ]
        self.norm = LayerNormalization(epsilon=EPSILON, name="norm")
        self.output_layer = self.head()

    def _number_tokens(self) -> keras.layers.Layer:
        config, dim = self.config, self.config.hidden_dim
        if config.number_embedding == "periodic":
            return PeriodicEmbedding(
                dim, config.frequencies, config.frequency_scale, name="number_tokens"
            )
        return LinearEmbedding(dim, name="number_tokens")

    def build(self, input_shape=None):
        dim = self.config.hidden_dim
        self.cls = self.add_weight(shape=(1, 1, dim), initializer=uniform(dim), name="cls")
        if self.tokenize_numbers is not None:
            self.tokenize_numbers.build((None, self.number_slots))
        if self.tokenize_categories is not None:
            self.tokenize_categories.build((None, len(self.category_sizes)))
        tokens = (None, 1 + self.number_slots + len(self.category_sizes), dim)
        for layer in (*self.blocks, self.norm):
            layer.build(tokens)
        self.output_layer.build((None, dim))
        self.built = True

    def call(self, x, training=None):
        hidden = self.tokens(x)
        for block in self.blocks[:-1]:
            hidden = block(hidden, training=training)
        # Of the last block nothing but the first token is read.
        first, _ = self.blocks[-1].first_position(hidden, training=training)
        return self.output_layer(ops.relu(self.norm(first[:, 0])))

    def tokens(self, x):
        """[CLS], then a token for each number and each category: (B, 1 + S + C, D)."""
        parts = []
        if self.tokenize_numbers is not None:
            parts.append(self.tokenize_numbers(x["numbers"]))
        if self.tokenize_categories is not None:
            parts.append(self.tokenize_categories(x["categories"]))
        rows = ops.shape(parts[0])[0]
        cls = ops.broadcast_to(ops.cast(self.cls, self.compute_dtype), (rows, 1, self.cls.shape[2]))
        return ops.concatenate([cls, *parts], axis=1)
