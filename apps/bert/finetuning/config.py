"""Configuration of fine-tuning."""

from operator import not_
from typing import Any, ClassVar, Literal

from apps.bert.encoder_config import TEST_ENCODER, EncoderConfig
from apps.bert.run_config import BertRunConfig
from apps.bert.tasks.columns import Columns
from apps.bert.vocabulary import VocabularyConfig
from shared.common.config import OptimizationConfig, config_class, group, option

TaskTypeName = Literal[
    "auto", "classification", "pair", "regression", "choice", "tagging", "question-answering"
]
# A condition of options, see `shared.common.option_use`; the data decide what "auto" is.
QUESTIONS = {"task_type": ("auto", "question-answering")}


@config_class
class TaskDataConfig:
    """The data of a fine-tuning and how they are read."""

    task_type: TaskTypeName = option("auto", "Type of the task; auto infers it from the data.")
    kind: Literal["auto", "single", "multilabel"] = option(
        "auto",
        "One class a text or pair, or any number of labels (a,b or a;b in the column of the label, "
        "or a column of 0 and 1 a label); auto recognises it by the data.",
        used_with={"task_type": ("auto", "classification", "pair")},
    )
    threshold_split: float = option(
        0.1, "Several labels: share of the training examples that choose the thresholds.",
        used_with={
            "task_type": ("auto", "classification", "pair"), "kind": ("auto", "multilabel"),
        },
        gt=0, le=0.5,
    )  # fmt: skip
    text_column: str = option(
        "", "Column of the text, in CoNLL the number of the words' column; by default it is found."
    )
    pair_column: str = option("", "Column of the second text of a pair.")
    label_column: str = option("", "Column of the label, in CoNLL the number of the tags' column.")
    validation: tuple[str, ...] = option(
        (), "Validation files; by default dev.* or validation.* of a folder, or a split."
    )
    validation_split: float = option(
        0.1, "Share held out for validation where there are no such files.",
        used_with={"validation": not_}, gt=0, le=0.5,
    )  # fmt: skip
    max_length: int = option(128, "Longest sequence in word pieces; longer texts are cut.", ge=8)
    stride: int = option(
        64, "Question answering: overlap of the windows of a long context, in word pieces.",
        used_with=QUESTIONS, ge=0,
    )  # fmt: skip
    max_answer_length: int = option(
        30, "Question answering: longest answer in word pieces.", used_with=QUESTIONS, ge=1
    )

    @property
    def columns(self) -> Columns:
        """The columns that the user named."""
        return Columns(self.text_column, self.pair_column, self.label_column)


@config_class
class HeadConfig:
    """The head on top of the encoder, and the layers that are trained."""

    pooling: Literal["pooler", "cls", "mean"] = option(
        "pooler",
        "Sentence vector: BERT's pooler, the first position, or the mean of all.",
        used_with={"task_type": lambda task: task not in ("tagging", "question-answering")},
    )
    head_dropout: float = option(0.1, "Dropout before the output layer.", ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = option(
        "none",
        "Weight of each class in the loss; balanced: the inverse of its frequency. Of several "
        "labels the examples with a label then weigh as much as those without.",
    )
    layer_decay: float = option(
        1.0,
        "Learning rate and weight decay of each block relative to the block above it.",
        gt=0,
        le=1,
    )
    freeze_layers: int = option(
        0, "Freeze the embeddings and this many blocks; -1 trains the head only.", ge=-1
    )


@config_class
class FinetuneConfig(BertRunConfig):
    """Configuration of a fine-tuning."""

    task: ClassVar[str] = "bert-finetune"
    metrics: ClassVar[dict[str, str]] = {"loss": "min", "mse": "min"} | dict.fromkeys(
        (
            "score", "accuracy", "f1", "matthews", "pearson", "spearman", "pearson_spearman",
            "precision", "recall", "exact_match", "mean_average_precision", "f1_macro", "f1_micro",
        ),
        "max",
    )  # fmt: skip

    epochs: int = option(3, "Passes over the training data.", ge=1)
    batch_size: int = option(32, "Global batch size, over all devices.", ge=1)
    learning_rate: float = option(5e-5, "Peak learning rate.", gt=0)
    task_data: TaskDataConfig = group(TaskDataConfig)
    tokens: VocabularyConfig = group(VocabularyConfig)
    encoder: EncoderConfig = group(EncoderConfig)
    head: HeadConfig = group(HeadConfig)
    optimization: OptimizationConfig = group(
        lambda: OptimizationConfig(weight_decay=0.01, schedule="linear", warmup=0.1, clip_norm=1.0)
    )

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests; no dropout, so that any number of devices agrees.
        "test": {
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 1e-3,
            "deterministic": True,
            "tokens": {"vocabulary_size": 150},
            "task_data": {"max_length": 32},
            "encoder": TEST_ENCODER,
            "head": {"head_dropout": 0.0},
        },
        # From scratch, on thousands of short sentences: 20 seconds on two cores. Two layers, as
        # four hardly begin to learn with some seeds.
        # kerasuite bert finetune sentiment --preset demo
        "demo": {
            "epochs": 4,
            "learning_rate": 1e-3,
            "tokens": {"vocabulary_size": 300},
            "encoder": {
                "num_layers": 2,
                "hidden_dim": 128,
                "num_heads": 4,
                "intermediate_dim": 256,
                "dropout": 0.0,
                "attention_dropout": 0.0,
            },
            "head": {"pooling": "mean"},
        },
        # With an encoder of --init.
        # kerasuite bert finetune sst2 --init minilm --preset sentences
        "sentences": {"learning_rate": 1e-4, "head": {"pooling": "mean"}},
        # kerasuite bert finetune conll2003 --init minilm --preset tagging
        "tagging": {
            "learning_rate": 2e-4,
            "epochs": 3,
            "task_data": {"task_type": "tagging", "max_length": 256},
        },
        # kerasuite bert finetune squad --init minilm --preset questions
        "questions": {
            "batch_size": 16,
            "learning_rate": 1e-4,
            "epochs": 2,
            "task_data": {
                "task_type": "question-answering",
                "max_length": 384,
                "stride": 128,
            },
        },
    }
