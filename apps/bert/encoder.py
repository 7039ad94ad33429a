"""BERT's encoder."""

import keras
from keras import ops

from shared.layers import Dropout, LayerNormalization, LearnedPositions, TransformerEncoderBlock
from shared.layers.multi_head_attention import padding_attention_mask

# Number of [PAD], in every vocabulary.
PAD = 0


@keras.saving.register_keras_serializable(package="kerasuite")
class BertEncoder(keras.layers.Layer):
    """Token, position and segment embeddings, Transformer blocks, and a pooler.

    Args:
        vocabulary_size: int. Number of word pieces; number 0 is [PAD].
        num_layers, num_heads, hidden_dim, intermediate_dim: int. L, A, D and the width inside a
            feed-forward network.
        max_positions: int. Longest sequence.
        num_segments: int. Kinds of segment.
        activation: "gelu", "gelu_tanh" or "relu".
        epsilon: float. Of the layer normalisations.
        embedding_dim: int. Width E of token embeddings that a matrix brings to D; 0 for E = D.
        heads_per_layer: ints. Heads of each block where some were pruned; a head keeps its width
            D / `num_heads`.
        dropout, attention_dropout: float.

    Call arguments:
        inputs: dict of "tokens" and "segments", int32 (B, T) each. Positions with token 0 are
            padding: no other position sees them.
        output_hidden_states: bool.
        output_attentions: None, "weights" (after the softmax) or "scores" (before it, not masked).
        first_only: bool. Whether the last block computes nothing but the first position, [CLS]:
            all that a classifier of sentences reads. The block then costs almost nothing.

    Returns:
        Dict of
            "sequence": (B, T, D), what the last block gives; (B, 1, D) with `first_only`;
            "pooled": (B, D), the first position after a dense layer and tanh;
            "hidden_states": tuple of L + 1 tensors (B, T, D), the embeddings first, if asked for;
                the last is "sequence";
            "attentions": tuple of L float32 tensors (B, A, T, T), if asked for; the last is
                (B, A, 1, T) with `first_only`.

    Reference: [Devlin et al., 2019](https://arxiv.org/abs/1810.04805); factorised embeddings are
    [Lan et al., 2020](https://arxiv.org/abs/1909.11942)
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int = 12,
        num_heads: int = 12,
        hidden_dim: int = 768,
        intermediate_dim: int = 3072,
        max_positions: int = 512,
        num_segments: int = 2,
        activation: str = "gelu",
        epsilon: float = 1e-12,
        embedding_dim: int = 0,
        heads_per_layer: tuple[int, ...] = (),
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        heads = tuple(heads_per_layer) or (num_heads,) * num_layers
        if len(heads) != num_layers:
            raise ValueError(f"heads_per_layer {heads} names {len(heads)} of {num_layers} layers")
        if hidden_dim % num_heads:
            raise ValueError(f"hidden_dim {hidden_dim} does not divide by num_heads {num_heads}")
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.max_positions = max_positions
        self.num_segments = num_segments
        self.activation = activation
        self.epsilon = epsilon
        self.embedding_dim = embedding_dim
        self.heads_per_layer = heads
        self.dropout = dropout
        self.attention_dropout = attention_dropout

    # === Layers ===

    def build(self, inputs_shape=None):
        policy, shape = self.dtype_policy, (None, None, self.hidden_dim)
        width = self.embedding_dim or self.hidden_dim
        self.token_embedding = self._embedding(self.vocabulary_size, width, "token_embedding")
        if self.embedding_dim:
            self.embedding_projection = self._dense("embedding_projection", None)
            self.embedding_projection.build((None, None, width))
        self.segment_embedding = self._embedding(
            self.num_segments, self.hidden_dim, "segment_embedding"
        )
        self.positions = LearnedPositions(self.max_positions, dtype=policy, name="positions")
        self.positions.build(shape)
        self.embedding_norm = LayerNormalization(self.epsilon, dtype=policy, name="embedding_norm")
        self.embedding_norm.build(shape)
        self.embedding_dropout = Dropout(self.dropout, dtype=policy)
        self.blocks = [self._block(index) for index in range(self.num_layers)]
        for block in self.blocks:
            block.build(shape)
        self.pooler = self._dense("pooler", "tanh")
        self.pooler.build((None, self.hidden_dim))
        self.built = True

    def _embedding(self, count: int, width: int, name: str) -> keras.layers.Embedding:
        layer = keras.layers.Embedding(
            count, width, _initializer(), dtype=self.dtype_policy, name=name
        )
        layer.build()
        return layer

    def _dense(self, name: str, activation: str | None) -> keras.layers.Dense:
        return keras.layers.Dense(
            self.hidden_dim,
            activation,
            kernel_initializer=_initializer(),
            dtype=self.dtype_policy,
            name=name,
        )

    def _block(self, index: int) -> TransformerEncoderBlock:
        return TransformerEncoderBlock(
            self.heads_per_layer[index],
            self.hidden_dim,
            self.intermediate_dim,
            norm="post",
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            activation=self.activation,
            epsilon=self.epsilon,
            head_dim=self.hidden_dim // self.num_heads,
            dtype=self.dtype_policy,
            name=f"block_{index}",
        )

    # === Forward pass ===

    def call(
        self,
        inputs,
        output_hidden_states=False,
        output_attentions=None,
        first_only=False,
        training=None,
    ):
        mask = padding_attention_mask(self.padding_mask(inputs))
        hidden_states = [self.embed(inputs, training)]
        attentions = []
        for block in self.blocks:
            last = block is self.blocks[-1]
            run = block.first_position if first_only and last else block.with_attention
            hidden, attention = run(hidden_states[-1], mask, training)
            hidden_states.append(hidden)
            attentions.append(attention)
        outputs = {"sequence": hidden, "pooled": self.pooler(hidden[:, 0])}
        if output_hidden_states:
            outputs["hidden_states"] = tuple(hidden_states)
        if output_attentions:
            outputs["attentions"] = tuple(
                getattr(attention, output_attentions) for attention in attentions
            )
        return outputs

    def embed(self, inputs, training=None):
        """The sum of the three embeddings, normalised: (B, T, D)."""
        tokens = self.token_embedding(inputs["tokens"])
        if self.embedding_dim:
            tokens = self.embedding_projection(tokens)
        summed = self.positions(tokens) + self.segment_embedding(inputs["segments"])
        return self.embedding_dropout(self.embedding_norm(summed), training=training)

    @staticmethod
    def padding_mask(inputs):
        """bool (B, T), True for a real token."""
        return ops.not_equal(inputs["tokens"], PAD)

    def compute_output_spec(
        self,
        inputs,
        output_hidden_states=False,
        output_attentions=None,
        first_only=False,
        **_,
    ):
        rows, length = inputs["tokens"].shape
        # Positions that come out of each block.
        lengths = [length] * (self.num_layers - 1) + [1 if first_only else length]
        hidden = [
            keras.KerasTensor((rows, count, self.hidden_dim), self.compute_dtype)
            for count in (length, *lengths)
        ]
        pooled = keras.KerasTensor((rows, self.hidden_dim), self.compute_dtype)
        outputs = {"sequence": hidden[-1], "pooled": pooled}
        if output_hidden_states:
            outputs["hidden_states"] = tuple(hidden)
        if output_attentions:
            outputs["attentions"] = tuple(
                keras.KerasTensor((rows, heads, count, length), "float32")
                for heads, count in zip(self.heads_per_layer, lengths, strict=True)
            )
        return outputs

    def get_config(self):
        names = (
            "vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim",
            "max_positions", "num_segments", "activation", "epsilon", "embedding_dim",
            "heads_per_layer", "dropout", "attention_dropout",
        )  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def mean_of_tokens(sequence, padding_mask):
    """Mean of the real positions: (B, T, D) to (B, D)."""
    real = ops.cast(padding_mask, sequence.dtype)[..., None]
    return ops.sum(sequence * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0)


def _initializer():
    """The paper's authors draw from a normal distribution cut at two standard deviations."""
    return keras.initializers.TruncatedNormal(stddev=0.02)
