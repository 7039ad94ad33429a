"""Configuration of translation."""

from operator import not_
from typing import Any, ClassVar, Literal

from shared.common.config import OptimizationConfig, RunConfig, config_class, group, option

# Tokens of a text that the exported translator reads, the end included; memory grows with the
# square of the length. Files are translated in pieces below it, see `prediction/pieces.py`.
MAX_TOKENS = 512
# Maximum tokens of a translation for a token of its source, at least.
MIN_RATIO = 2.0
# A step of the Transformer has beam_size queries, each on the keys of beam_size hypotheses: with
# 256 of them a text of 512 tokens takes some GiB. No vocabulary is smaller.
MAX_BEAM = 256
# Conditions of options, see `shared.common.option_use`.
TRANSFORMER = {"architecture": "transformer"}
# Kind of vocabulary that only an imported model has.
MARIAN = "marian"
RECURRENT = {"architecture": "recurrent"}


@config_class
class PairsConfig:
    """Sentence pairs."""

    source: str = option("", "Source language (en, zh, ...); by default from file endings.")
    target: str = option("", "Target language; in a folder it also picks the files.")
    reverse: bool = option(False, "Swap the two sides of the data.")
    validation: tuple[str, ...] = option(
        (), "Held-out pairs, in the formats of DATA; by default val.* of a folder, or a split."
    )
    validation_split: float = option(
        0.1, "Share of the pairs held out for validation where no others are given.",
        used_with={"validation": not_}, gt=0, le=0.5,
    )  # fmt: skip
    max_tokens: int = option(128, "Leave out training sentences of more tokens.", ge=8)
    max_ratio: float = option(
        9.0, "Leave out pairs whose numbers of tokens differ by more than this factor.", gt=1
    )
    keep_duplicates: bool = option(False, "Keep pairs that occur more than once.")


@config_class
class VocabularyConfig:
    """Vocabulary."""

    vocabulary: Literal["unigram", "bpe", "char", "word", "marian"] = option(
        "unigram",
        "Kind of token; other characters are spelled in bytes. Marian's, which has none for bytes, "
        "comes with --init only.",
    )
    vocabulary_size: int = option(8000, "Number of tokens.", ge=300)
    shared_vocabulary: bool = option(True, "One vocabulary for both languages.")


@config_class
class ModelConfig:
    """The network."""

    architecture: Literal["transformer", "recurrent"] = option(
        "transformer", "Vaswani et al., 2017, or an encoder-decoder with attention."
    )
    num_layers: int = option(3, "Blocks (layers) of the encoder, and of the decoder.", ge=1)
    decoder_layers: int = option(
        0, "Transformer: blocks of the decoder, if other than of the encoder.",
        used_with=TRANSFORMER, ge=0,
    )  # fmt: skip
    hidden_dim: int = option(256, "Width of embeddings and blocks.", ge=8)
    dropout: float = option(0.1, "Dropout rate.", ge=0, lt=1)
    tie_embeddings: bool = option(True, "Use the target embedding as output weights too.")
    # Transformer
    num_heads: int = option(8, "Transformer: attention heads.", used_with=TRANSFORMER, ge=1)
    intermediate_dim: int = option(
        1024, "Transformer: width inside a feed-forward network.", used_with=TRANSFORMER, ge=8
    )
    activation: Literal["relu", "gelu", "swish"] = option(
        "relu", "Transformer: activation of the feed-forward networks.", used_with=TRANSFORMER
    )
    norm: Literal["pre", "post"] = option(
        "pre", "Transformer: normalisation before or after each sublayer.", used_with=TRANSFORMER
    )
    positions: Literal["sinusoidal", "learned"] = option(
        "sinusoidal", "Transformer: kind of position encoding.", used_with=TRANSFORMER
    )
    epsilon: float = option(
        1e-6, "Transformer: added to the variance in each normalisation.",
        used_with=TRANSFORMER, gt=0, lt=1,
    )  # fmt: skip
    output_bias: bool = option(
        False, "Transformer: add a learnt bias to the logit of each token.", used_with=TRANSFORMER
    )
    attention_dropout: float = option(
        0.0, "Transformer: dropout rate of the attention weights.",
        used_with=TRANSFORMER, ge=0, lt=1,
    )  # fmt: skip
    # Recurrent
    cell: Literal["lstm", "gru"] = option("lstm", "Recurrent: kind of cell.", used_with=RECURRENT)
    attention: Literal["additive", "dot", "general", "concat"] = option(
        "general",
        "Recurrent: Bahdanau's additive attention, or one of Luong's scores.",
        used_with=RECURRENT,
    )
    input_feeding: bool = option(
        True, "Recurrent: feed the attentional vector to the next step.", used_with=RECURRENT
    )
    residual: bool = option(
        True, "Recurrent: residual connections between layers.", used_with=RECURRENT
    )
    scheduled_sampling: float = option(
        0.0, "Recurrent: share of steps that read their own prediction at the end of training.",
        used_with=RECURRENT, ge=0, le=1,
    )  # fmt: skip


@config_class
class LossConfig:
    """The objective."""

    label_smoothing: float = option(0.1, "Probability spread over the other tokens.", ge=0, lt=1)


@config_class
class DecodingConfig:
    """Search for the best translation."""

    beam_size: int = option(4, "Hypotheses kept at each step; 1 is greedy.", ge=1, le=MAX_BEAM)
    length_penalty: float = option(
        0.6, "Exponent of the length penalty; 0 disables it.", ge=0,
        allow_inf_nan=False,
    )  # fmt: skip
    length_rule: Literal["wu", "power"] = option(
        "wu", "Length penalty of Wu et al., 2016, or a power of the length, as in Marian."
    )


@config_class
class TranslateConfig(RunConfig):
    """Configuration of a translation run."""

    task: ClassVar[str] = "translate"
    metrics: ClassVar[dict[str, str]] = {
        "loss": "min", "bleu": "max", "chrf": "max", "exact": "max",
    }  # fmt: skip
    batch_size: int = option(0, "Sentence pairs a batch, instead of --batch-tokens.", ge=0)
    batch_tokens: int = option(
        3072, "Tokens a batch: pairs times the longer of its two padded lengths.",
        used_with={"batch_size": 0}, ge=8,
    )  # fmt: skip
    learning_rate: float = option(1e-3, "Peak learning rate.", gt=0)
    pairs: PairsConfig = group(PairsConfig)
    tokens: VocabularyConfig = group(VocabularyConfig)
    model: ModelConfig = group(ModelConfig)
    loss: LossConfig = group(LossConfig)
    decoding: DecodingConfig = group(DecodingConfig)
    optimization: OptimizationConfig = group(
        lambda: OptimizationConfig(clip_norm=1.0, warmup=0.1, ema=0.999)
    )

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests; no dropout, so that any number of devices agrees.
        "test": {
            "epochs": 2,
            "batch_tokens": 96,
            "deterministic": True,
            "pairs": {"max_tokens": 32},
            "tokens": {"vocabulary_size": 330},
            "model": {
                "num_layers": 1,
                "hidden_dim": 16,
                "num_heads": 2,
                "intermediate_dim": 32,
                "dropout": 0.0,
            },
            "optimization": {"ema": 0.9},
        },
        # A few thousand short sentences, two minutes on two cores.
        # kerasuite translate train numbers-en-zh --source en --target zh --preset numbers
        "numbers": {
            "epochs": 12,
            "batch_tokens": 1024,
            "learning_rate": 2e-3,
            "tokens": {"vocabulary_size": 400},
            "model": {"num_layers": 2, "hidden_dim": 128, "num_heads": 4, "intermediate_dim": 256},
            "optimization": {"ema": 0.99},
            "decoding": {"beam_size": 1},
        },
        # Tens of thousands of sentences, less than an hour on two cores: the size of the
        # "Transformer-Tiny" of Wu et al., 2021, https://arxiv.org/abs/2105.14462.
        # kerasuite translate train multi30k --source en --target de --preset tiny
        "tiny": {
            "epochs": 40,
            "batch_tokens": 2048,
            "learning_rate": 3e-3,
            "validate_every": 4,
            "tokens": {"vocabulary_size": 6000},
            "model": {
                "num_layers": 4,
                "hidden_dim": 128,
                "num_heads": 4,
                "intermediate_dim": 256,
                "dropout": 0.3,
            },
        },
        # The same with a bidirectional LSTM and attention.
        # kerasuite translate train multi30k --source en --target de --preset recurrent
        "recurrent": {
            "epochs": 15,
            "batch_tokens": 2048,
            "learning_rate": 2e-3,
            "validate_every": 5,
            "tokens": {"vocabulary_size": 6000},
            "model": {
                "architecture": "recurrent",
                "num_layers": 1,
                "hidden_dim": 256,
                "dropout": 0.3,
            },
        },
        # Hundreds of thousands of sentences.
        "small": {"epochs": 20, "model": {"dropout": 0.2}},
        # Millions of sentences, a GPU: the base model of Vaswani et al., 2017.
        "base": {
            "epochs": 10,
            "batch_tokens": 25000,
            "learning_rate": 7e-4,
            "tokens": {"vocabulary_size": 32000},
            "model": {
                "num_layers": 6,
                "hidden_dim": 512,
                "intermediate_dim": 2048,
                "norm": "post",
            },
            "optimization": {"schedule": "noam"},
        },
    }
