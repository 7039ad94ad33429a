"""Configuration of a BERT encoder."""

from typing import Literal

from shared.common.config import config_class, option

# Small enough for tests; no dropout, so that any number of devices agrees.
TEST_ENCODER = {
    "num_layers": 2,
    "hidden_dim": 16,
    "num_heads": 2,
    "intermediate_dim": 32,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}


@config_class
class EncoderConfig:
    """A BERT encoder of any depth L, width H and number of heads A; the default is BERT-base."""

    num_layers: int = option(12, "Transformer blocks (L).", ge=1)
    hidden_dim: int = option(768, "Width (H).", ge=8)
    num_heads: int = option(12, "Attention heads of a block (A).", ge=1)
    intermediate_dim: int = option(3072, "Inner width of the feed-forward networks.", ge=8)
    max_positions: int = option(512, "Longest sequence, the number of position embeddings.", ge=8)
    num_segments: int = option(2, "Number of segment types; 2 for a sentence and its pair.", ge=1)
    sum_width: Literal["encoder", "embedding"] = option(
        "encoder",
        "Width at which token, segment and position embeddings are summed: the encoder's, or "
        "--embedding-dim, as in ALBERT and ELECTRA.",
        used_with={"embedding_dim": bool},
    )
    activation: Literal["gelu", "gelu_tanh", "relu"] = option(
        "gelu", "Activation of the feed-forward networks; gelu_tanh approximates gelu."
    )
    epsilon: float = option(1e-12, "Epsilon of the layer normalisations.", gt=0)
    embedding_dim: int = option(
        0, "Width of factorised token embeddings (ALBERT); 0 uses the encoder's width.", ge=0
    )
    shared_layers: bool = option(False, "All blocks are one, with the same weights, as in ALBERT.")
    heads_per_layer: tuple[int, ...] = option(
        (), "Heads of each block, where some were pruned; empty: --num-heads in every block."
    )
    dropout: float = option(0.1, "Dropout of the embeddings and sublayer outputs.", ge=0, lt=1)
    attention_dropout: float = option(0.1, "Dropout of the attention weights.", ge=0, lt=1)

    @property
    def block_heads(self) -> tuple[int, ...]:
        """Heads of each block."""
        return self.heads_per_layer or (self.num_heads,) * self.num_layers
