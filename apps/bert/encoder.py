"""BERT's encoder, and the numbers that tensors around it share."""

import keras
from keras import ops

from apps.bert.encoder_config import EncoderConfig
from shared.common import config as configs
from shared.layers import Dropout, LayerNormalization, LearnedPositions, TransformerEncoderBlock
from shared.layers.multi_head_attention import padding_attention_mask

# Number of [PAD], in every vocabulary.
PAD = 0
# Label of a position without a target, which no loss or metric counts.
IGNORED = -1


@keras.saving.register_keras_serializable(package="kerasuite")
class BertEncoder(keras.layers.Layer):
    """Token, position and segment embeddings, Transformer blocks, and a pooler.

    Args:
        config: `EncoderConfig`. Depth, widths, heads, dropout. Heads that were pruned are named by
            its `heads_per_layer`; a head keeps its width D / `num_heads`.
        vocabulary_size: int. Number of word pieces; number 0 is [PAD].

    Call arguments:
        inputs: dict of "token_ids" and "segment_ids", int32 (B, T) each. Positions with token 0 are
            padding: no other position attends to them.
        output_hidden_states: bool.
        output_attentions: None, "weights" (after the softmax) or "scores" (before it, not masked).
        first_only: bool. Compute only the first position, [CLS], in the last block. A classifier
            of sentences reads nothing else, and the block then costs almost nothing.

    Returns:
        Dict of
            "sequence": (B, T, D), output of the last block; (B, 1, D) with `first_only`;
            "pooled": (B, D), the first position after a dense layer and tanh;
            "hidden_states": tuple of L + 1 tensors (B, T, D), the embeddings first, if asked for;
                the last is "sequence";
            "attentions": tuple of L float32 tensors (B, A, T, T), if asked for; the last is
                (B, A, 1, T) with `first_only`.

    Reference: [Devlin et al., 2019](https://arxiv.org/abs/1810.04805); factorised embeddings are
    and blocks that share their weights are
    [Lan et al., 2020](https://arxiv.org/abs/1909.11942)
    """

    def __init__(self, config: EncoderConfig, vocabulary_size: int, **kwargs):
        super().__init__(**kwargs)
        config = configs.from_dict(EncoderConfig, config)
        heads = config.block_heads
        if len(heads) != config.num_layers:
            raise ValueError(
                f"heads_per_layer {heads} names {len(heads)} of {config.num_layers} layers"
            )
        if config.sum_width == "embedding" and not config.embedding_dim:
            raise ValueError("sum_width 'embedding' needs an embedding_dim")
        if config.hidden_dim % config.num_heads:
            raise ValueError(
                f"hidden_dim {config.hidden_dim} does not divide by num_heads {config.num_heads}"
            )
        self.config = config
        self.vocabulary_size = vocabulary_size

    # === Layers ===

    def build(self, inputs_shape=None):
        config, policy = self.config, self.dtype_policy
        shape = (None, None, config.hidden_dim)
        width = config.embedding_dim or config.hidden_dim
        self.token_embedding = self._embedding(self.vocabulary_size, width, "token_embedding")
        if config.embedding_dim:
            self.embedding_projection = self._dense("embedding_projection", None)
            self.embedding_projection.build((None, None, width))
        summed = width if config.sum_width == "embedding" else config.hidden_dim
        self.segment_embedding = self._embedding(config.num_segments, summed, "segment_embedding")
        self.positions = LearnedPositions(
            config.max_positions, bert_initializer(), dtype=policy, name="positions"
        )
        self.positions.build((None, None, summed))
        self.embedding_norm = LayerNormalization(
            config.epsilon, dtype=policy, name="embedding_norm"
        )
        self.embedding_norm.build((None, None, summed))
        self.embedding_dropout = Dropout(config.dropout, dtype=policy)
        count = 1 if config.shared_layers else config.num_layers
        blocks = [self._block(index) for index in range(count)]
        for block in blocks:
            block.build(shape)
        self.blocks = blocks * (config.num_layers // count)
        self.pooler = self._dense("pooler", "tanh")
        self.pooler.build((None, config.hidden_dim))
        self.built = True

    def _embedding(self, count: int, width: int, name: str) -> keras.layers.Embedding:
        layer = keras.layers.Embedding(
            count, width, bert_initializer(), dtype=self.dtype_policy, name=name
        )
        layer.build()
        return layer

    def _dense(self, name: str, activation: str | None) -> keras.layers.Dense:
        return keras.layers.Dense(
            self.config.hidden_dim,
            activation,
            kernel_initializer=bert_initializer(),
            dtype=self.dtype_policy,
            name=name,
        )

    def _block(self, index: int) -> TransformerEncoderBlock:
        config = self.config
        return TransformerEncoderBlock(
            config.block_heads[index],
            config.hidden_dim,
            config.intermediate_dim,
            norm="post",
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            activation=config.activation,
            epsilon=config.epsilon,
            head_dim=config.hidden_dim // config.num_heads,
            kernel_initializer=bert_initializer(),
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
        for number, block in enumerate(self.blocks, start=1):
            last = number == len(self.blocks)
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
        """Sum of the three embeddings, normalised: (B, T, D)."""
        is_narrow = self.config.sum_width == "embedding"
        tokens = self.token_embedding(inputs["token_ids"])
        if self.config.embedding_dim and not is_narrow:
            tokens = self.embedding_projection(tokens)
        # An encoder with one segment, such as RoBERTa, has it for both texts of a pair.
        segments = ops.minimum(inputs["segment_ids"], self.config.num_segments - 1)
        summed = self.positions(tokens) + self.segment_embedding(segments)
        hidden = self.embedding_dropout(self.embedding_norm(summed), training=training)
        return self.embedding_projection(hidden) if is_narrow else hidden

    @staticmethod
    def padding_mask(inputs):
        """Padding mask, bool (B, T): True for a real token."""
        return ops.not_equal(inputs["token_ids"], PAD)

    def compute_output_spec(
        self,
        inputs,
        output_hidden_states=False,
        output_attentions=None,
        first_only=False,
        **_,
    ):
        rows, length = inputs["token_ids"].shape
        # Positions in the output of each block.
        lengths = [length] * (self.config.num_layers - 1) + [1 if first_only else length]
        hidden = [
            keras.KerasTensor((rows, count, self.config.hidden_dim), self.compute_dtype)
            for count in (length, *lengths)
        ]
        pooled = keras.KerasTensor((rows, self.config.hidden_dim), self.compute_dtype)
        outputs = {"sequence": hidden[-1], "pooled": pooled}
        if output_hidden_states:
            outputs["hidden_states"] = tuple(hidden)
        if output_attentions:
            outputs["attentions"] = tuple(
                keras.KerasTensor((rows, heads, count, length), "float32")
                for heads, count in zip(self.config.block_heads, lengths, strict=True)
            )
        return outputs

    def get_config(self):
        return {
            **super().get_config(),
            "config": configs.to_dict(self.config),
            "vocabulary_size": self.vocabulary_size,
        }


def mean_of_tokens(sequence, padding_mask):
    """Mean of the real positions: (B, T, D) to (B, D)."""
    real = ops.cast(padding_mask, sequence.dtype)[..., None]
    return ops.sum(sequence * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0)


def bert_initializer():
    """Initializer of all matrices and embeddings: a normal cut at two standard deviations.

    That of the paper's code, `truncated_normal_initializer(stddev=0.02)`.
    """
    return keras.initializers.TruncatedNormal(stddev=0.02)
