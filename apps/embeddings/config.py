"""Configuration of word embeddings."""

from typing import Any, ClassVar, Literal

from shared.common.config import OptimizationConfig, RunConfig, config_class, group, option

# Default learning rate of each algorithm, as in the original programs.
LEARNING_RATES = {"skipgram": 0.025, "cbow": 0.025, "glove": 0.05}
WORD2VEC = ("skipgram", "cbow")
GLOVE = {"algorithm": "glove"}
IMPORTED = "imported"


@config_class
class CorpusConfig:
    """Splitting of text into words, and selection of words."""

    language: str = option("en", "Language of the text (ISO 639); zh is split into words by jieba.")
    document: Literal["line", "running"] = option(
        "line", "One document per line, or a running text per file; no window crosses documents."
    )
    pattern: Literal["words", "whitespace"] = option(
        "words", "Extract words from text, or split it at white space only."
    )
    phrases: bool = option(False, "Join frequent pairs of words, such as new_york.")
    min_count: int = option(5, "Leave out words with fewer occurrences.", ge=1)
    max_vocab: int = option(0, "Keep this many of the most frequent words; 0 keeps all.", ge=0)


@config_class
class ModelConfig:
    """Algorithm and its parameters."""

    algorithm: Literal["skipgram", "cbow", "glove", "imported"] = option(
        "skipgram", "Skip-gram or CBOW (word2vec), or GloVe; imported vectors are not trained."
    )
    loss: Literal["negative-sampling", "hierarchical-softmax"] = option(
        "negative-sampling", "Output layer of word2vec.", used_with={"algorithm": WORD2VEC}
    )
    dim: int = option(100, "Size of a vector.", ge=1, le=4096)
    window: int = option(5, "Largest distance of a context word; 10 in the GloVe paper.", ge=1)
    negatives: int = option(
        5, "Noise words per pair (negative sampling).",
        used_with={"algorithm": WORD2VEC, "loss": "negative-sampling"}, ge=1, le=64,
    )  # fmt: skip
    subsample: float = option(
        1e-3, "word2vec: drop words above this share of the corpus at random; 0 disables.",
        used_with={"algorithm": WORD2VEC}, ge=0,
    )  # fmt: skip


@config_class
class GloveConfig:
    """Parameters of GloVe."""

    x_max: float = option(
        10.0, "Count from which a pair has full weight; 100 in the paper.", used_with=GLOVE, gt=0
    )
    alpha: float = option(
        0.75, "Exponent of the weight of rarer pairs.", used_with=GLOVE, ge=0, le=1
    )
    symmetric: bool = option(
        True, "Count context words on both sides, or only on the left.", used_with=GLOVE
    )
    memory: float = option(
        1.0, "Memory for counting in GiB; the rest is spilled to disk.", used_with=GLOVE, gt=0
    )


@config_class
class EmbedConfig(RunConfig):
    """Configuration of a training of word vectors."""

    task: ClassVar[str] = "embed"
    # The models apply their sparse updates themselves, in float32 and, word2vec's, in a compiled
    # loop: of an optimiser they read the rate alone.
    absent: ClassVar[tuple[str, ...]] = (
        "precision",
        "xla",
        "optimization.optimizer",
        "optimization.momentum",
        "optimization.beta_1",
        "optimization.weight_decay",
        "optimization.clip_norm",
        "optimization.micro_batches",
    )
    used_with: ClassVar[dict[str, Any]] = {"optimization.patience": {"metric": bool}}
    metrics: ClassVar[dict[str, str]] = {"wordsim353": "max", "simlex999": "max"}

    epochs: int = option(5, "Passes over the corpus, or over GloVe's counts.", ge=1)
    batch_size: int = option(
        65536, "Words (GloVe: co-occurrences) per step, over all devices.", ge=1
    )
    learning_rate: float = option(
        0.0, "Initial learning rate; 0 is 0.025 for word2vec and 0.05 for GloVe.", ge=0
    )
    optimization: OptimizationConfig = group(
        # Plain gradient descent that falls linearly to almost zero, as in word2vec.
        lambda: OptimizationConfig(
            optimizer="sgd", momentum=0.0, schedule="linear", warmup=0.0, final_learning_rate=0.004
        )
    )
    corpus: CorpusConfig = group(CorpusConfig)
    model: ModelConfig = group(ModelConfig)
    glove: GloveConfig = group(GloveConfig)

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests.
        "test": {
            "epochs": 2,
            "batch_size": 256,
            "deterministic": True,
            "corpus": {"min_count": 1},
            "model": {"dim": 16, "window": 3},
        },
        # A corpus of some tens of thousands of words, as `kerasuite samples corpus` makes it:
        # many passes, and little subsampling.
        # kerasuite embed train corpus --preset tiny
        "tiny": {
            "epochs": 100,
            "batch_size": 16384,
            "learning_rate": 0.05,
            "model": {"dim": 64, "window": 8, "subsample": 1e-4},
        },
        # GloVe as in Pennington et al. (2014), for corpora of millions of words.
        # kerasuite embed train corpus --preset glove
        "glove": {
            "epochs": 15,
            "optimization": {"schedule": "constant"},
            "model": {"algorithm": "glove", "window": 10},
        },
    }

    @property
    def initial_learning_rate(self) -> float:
        return self.learning_rate or LEARNING_RATES.get(self.model.algorithm, 0.0)
