"""Configuration of language models."""

from operator import not_
from typing import Any, ClassVar, Literal

from shared.common.config import OptimizationConfig, RunConfig, config_class, group, option
from shared.common.errors import KerasuiteError

# Conditions of options, see `shared.common.option_use`.
TRANSFORMER = {"architecture": "transformer"}
# Tokens that are written at a time at most, and hypotheses of a search.
MAX_TOKENS, MAX_BEAM = 100_000, 64


@config_class
class TextConfig:
    """Text and windows."""

    separator: str = option(
        "", "A line that separates documents, or `blank` for empty lines; none: a file is one."
    )
    validation: tuple[str, ...] = option((), "Validation text; by default the tail of the data.")
    validation_tail: float = option(
        0.1, "Share of the text, at its end, held out where there is no validation text.",
        used_with={"validation": not_}, gt=0, le=0.5,
    )  # fmt: skip
    sequence_length: int = option(
        128, "Tokens of a training window; a Transformer sees no further back.", ge=2
    )


@config_class
class VocabularyConfig:
    """Vocabulary."""

    vocabulary: Literal["char", "word", "unigram", "bpe", "byte-bpe"] = option(
        "char",
        "Kind of token: characters, words between white space, subwords, or GPT-2's bytes, which "
        "only --init brings.",
    )
    vocabulary_size: int = option(8000, "Largest number of tokens.", ge=8)


@config_class
class ModelConfig:
    """The network."""

    architecture: Literal["rnn", "lstm", "gru", "transformer"] = option(
        "transformer", "Elman's recurrent network, LSTM, GRU, or a Transformer that reads one way."
    )
    num_layers: int = option(4, "Layers or blocks.", ge=1)
    hidden_dim: int = option(128, "Width of embeddings and layers.", ge=2)
    dropout: float = option(0.0, "Dropout rate.", ge=0, lt=1)
    tie_embeddings: bool = option(True, "Use the embedding as output weights too.")
    num_heads: int = option(4, "Transformer: attention heads.", used_with=TRANSFORMER, ge=1)
    intermediate_dim: int = option(
        0, "Transformer: width inside a feed-forward network; 0 is four times --hidden-dim.",
        used_with=TRANSFORMER, ge=0,
    )  # fmt: skip
    positions: Literal["learned", "sinusoidal", "rotary"] = option(
        "learned", "Transformer: kind of position encoding.", used_with=TRANSFORMER
    )
    activation: Literal["gelu", "gelu_tanh", "relu"] = option(
        "gelu", "Transformer: activation; `gelu_tanh` is the approximation that GPT-2 has.",
        used_with=TRANSFORMER,
    )  # fmt: skip
    epsilon: float = option(
        1e-5, "Transformer: epsilon of the layer normalisations.", used_with=TRANSFORMER, gt=0
    )


@config_class
class WritingConfig:
    """How the model writes, while training and where it is asked no other way."""

    max_tokens: int = option(200, "Largest number of tokens to write.", ge=1, le=MAX_TOKENS)
    temperature: float = option(
        0.8, "Below 1 prefers likely tokens; 0 takes the likeliest.", ge=0, allow_inf_nan=False
    )
    top_k: int = option(0, "Draw from the k likeliest tokens; 0 is all.", ge=0)
    top_p: float = option(1.0, "Draw from the likeliest tokens of this probability.", gt=0, le=1)


@config_class
class LanguageConfig(RunConfig):
    """Configuration of a language model."""

    task: ClassVar[str] = "lm"
    metrics: ClassVar[dict[str, str]] = {
        "loss": "min", "perplexity": "min", "bits_per_character": "min", "bits_per_byte": "min",
    }  # fmt: skip
    epochs: int = option(10, "Passes over the training text.", ge=1)
    batch_size: int = option(32, "Windows per step, over all devices.", ge=1)
    text: TextConfig = group(TextConfig)
    tokens: VocabularyConfig = group(VocabularyConfig)
    model: ModelConfig = group(ModelConfig)
    writing: WritingConfig = group(WritingConfig)
    optimization: OptimizationConfig = group(lambda: OptimizationConfig(clip_norm=1.0))

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests; no dropout, so that any number of devices agrees.
        "test": {
            "epochs": 2,
            "batch_size": 32,
            "deterministic": True,
            "text": {"sequence_length": 16},
            "model": {"num_layers": 1, "hidden_dim": 16, "num_heads": 2},
            "writing": {"max_tokens": 12},
        },
        # Some hundred thousand characters, some minutes.
        # kerasuite lm train corpus/train.txt --preset tiny
        "tiny": {
            "epochs": 4,
            "learning_rate": 3e-3,
            "text": {"sequence_length": 64},
            "model": {"num_layers": 2, "hidden_dim": 96},
        },
        # The small setting of nanoGPT (Karpathy, 2022) for a CPU, with larger batches: a million
        # characters, a quarter of an hour of one core.
        # kerasuite lm train tinyshakespeare --preset char-transformer
        "char-transformer": {
            "epochs": 5,
            "learning_rate": 2e-3,
            "text": {"sequence_length": 64},
            "model": {"num_layers": 4, "hidden_dim": 128, "num_heads": 4},
        },
        # A regularised LSTM on words, as Zaremba et al., 2014, https://arxiv.org/abs/1409.2329,
        # with the tied embeddings of Press and Wolf, 2017, https://arxiv.org/abs/1608.05859.
        # kerasuite lm train wiki.train.tokens --validation wiki.valid.tokens --preset word-lstm
        "word-lstm": {
            "epochs": 6,
            "batch_size": 20,
            "learning_rate": 2e-3,
            "text": {"sequence_length": 35},
            "tokens": {"vocabulary": "word", "vocabulary_size": 40000},
            "model": {
                "architecture": "lstm",
                "num_layers": 2,
                "hidden_dim": 200,
                "dropout": 0.3,
            },
            "optimization": {"clip_norm": 0.25},
        },
        # The smallest model of Radford et al., 2019; for a GPU and some hundred million words.
        # kerasuite lm train books/ --preset gpt2 --precision mixed_bfloat16
        "gpt2": {
            "epochs": 1,
            "batch_size": 32,
            "learning_rate": 6e-4,
            "text": {"sequence_length": 1024},
            "tokens": {"vocabulary": "bpe", "vocabulary_size": 50257},
            "model": {
                "num_layers": 12,
                "hidden_dim": 768,
                "num_heads": 12,
                "activation": "gelu_tanh",
                "dropout": 0.1,
            },
            "optimization": {"weight_decay": 0.1, "final_learning_rate": 0.1},
        },
    }

    def refuse_mistakes(self) -> None:
        super().refuse_mistakes()
        model = self.model
        if model.architecture != "transformer":
            return
        if model.hidden_dim % model.num_heads:
            raise KerasuiteError(
                f"--num-heads {model.num_heads}: does not divide --hidden-dim "
                f"{model.hidden_dim}; change one of them"
            )
        if model.positions == "sinusoidal" and model.hidden_dim % 2:
            raise KerasuiteError(
                f"--hidden-dim {model.hidden_dim}: give an even number, or other --positions; a "
                f"sine and a cosine share a wavelength"
            )
        if model.positions == "rotary" and model.hidden_dim // model.num_heads % 2:
            raise KerasuiteError(
                f"--num-heads {model.num_heads}: heads of --hidden-dim {model.hidden_dim} are odd "
                f"then, and rotary positions turn pairs; change one of them"
            )
