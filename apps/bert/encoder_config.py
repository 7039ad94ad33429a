"""The shape of a BERT encoder, and its dropout."""

from typing import Any, Literal

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
    intermediate_dim: int = option(3072, "Width inside a feed-forward network.", ge=8)
    max_positions: int = option(512, "Longest sequence that positions are learnt for.", ge=8)
    num_segments: int = option(2, "Kinds of segment; 2 for a sentence and its pair.", ge=1)
    activation: Literal["gelu", "gelu_tanh", "relu"] = option(
        "gelu", "Of the feed-forward networks; gelu_tanh is an approximation of gelu."
    )
    epsilon: float = option(1e-12, "Of the layer normalisations.", gt=0)
    embedding_dim: int = option(
        0, "Width of factorised token embeddings (ALBERT); 0 takes the encoder's.", ge=0
    )
    heads_per_layer: tuple[int, ...] = option(
        (), "Heads of each block, where some were pruned; empty for --num-heads everywhere."
    )
    dropout: float = option(0.1, "Dropout of embeddings and of what blocks add.", ge=0, lt=1)
    attention_dropout: float = option(0.1, "Dropout of attention weights.", ge=0, lt=1)


def encoder_arguments(config: EncoderConfig) -> dict[str, Any]:
    """What `BertEncoder` is made with, beside the size of the vocabulary."""
    return {name: getattr(config, name) for name in EncoderConfig.__dataclass_fields__}
