"""Configuration of distillation."""

from typing import Any, ClassVar, Literal

from apps.bert.encoder_config import TEST_ENCODER
from apps.bert.finetuning.config import FinetuneConfig
from shared.common.config import config_class, group, option

# Shapes of the students of the TinyBERT paper, for a teacher with 12 heads.
TINYBERT_4 = {"num_layers": 4, "hidden_dim": 312, "num_heads": 12, "intermediate_dim": 1200}
TINYBERT_6 = {"num_layers": 6, "hidden_dim": 768, "num_heads": 12, "intermediate_dim": 3072}
# Without the layer losses of TinyBERT; and with those of BERT-PKD instead.
NO_LAYERS = {"embedding_weight": 0.0, "hidden_weight": 0.0, "attention_weight": 0.0}
PATIENT = {**NO_LAYERS, "patient_weight": 10.0, "soft_weight": 0.5, "temperature": 10.0}


@config_class
class LayerTransferConfig:
    """Layer-wise distillation losses; the defaults are TinyBERT's."""

    teacher: str = option("", "Teacher: a pretrained run.")
    mapping: Literal["uniform", "last", "custom"] = option(
        "uniform", "How the student's layers are mapped to the teacher's."
    )
    teacher_layers: tuple[int, ...] = option(
        (), "With --mapping custom: the teacher's layer for each of the student's, from 1.",
        used_with={"mapping": "custom"},
    )  # fmt: skip
    embedding_weight: float = option(1.0, "Weight of the embeddings' squared error.", ge=0)
    hidden_weight: float = option(1.0, "Weight of the hidden states' squared error.", ge=0)
    attention_weight: float = option(1.0, "Weight of the attention scores' squared error.", ge=0)
    patient_weight: float = option(0.0, "Weight of the first positions' distance (BERT-PKD).", ge=0)
    cosine_weight: float = option(0.0, "Weight of the last layer's cosine loss (DistilBERT).", ge=0)
    projection: Literal["auto", "on"] = option(
        "auto",
        "Learned projection before the losses of BERT-PKD and DistilBERT; auto: only where student "
        "and teacher have different widths. TinyBERT's losses always have it.",
    )


@config_class
class TransferConfig(LayerTransferConfig):
    """Losses of a student that learns a task from a fine-tuned teacher."""

    teacher: str = option("", "Teacher: a fine-tuned run.")
    intermediate_epochs: int = option(
        0,
        "Epochs of layer distillation before prediction distillation; 0 trains both together.",
        ge=0,
    )
    soft_weight: float = option(
        1.0, "Weight of the teacher's predictions; the labels have the rest.", ge=0, le=1
    )
    temperature: float = option(
        1.0, "Divides the logits of both before the softmax.",
        used_with={"soft_weight": bool, "task_type": lambda task: task != "regression"}, gt=0,
    )  # fmt: skip
    cache_teacher: bool = option(
        False, "Compute the teacher's outputs once, before training, and keep them on disk."
    )


@config_class
class DistillConfig(FinetuneConfig):
    """Configuration of a distillation for a task."""

    task: ClassVar[str] = "bert-distill"
    # The vocabulary is the teacher's.
    absent: ClassVar[tuple[str, ...]] = ("tokens",)
    # Class weights are those of the labels.
    used_with: ClassVar[dict[str, Any]] = {
        "head.class_weights": {"soft_weight": lambda weight: weight < 1}
    }

    epochs: int = option(10, "Passes over the training data.", ge=1)
    learning_rate: float = option(3e-4, "Peak learning rate.", gt=0)
    transfer: TransferConfig = group(TransferConfig)

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "test": {
            **{k: v for k, v in FinetuneConfig.presets["test"].items() if k != "tokens"},
            "encoder": {
                **TEST_ENCODER, "num_layers": 1, "hidden_dim": 12,
            },
            "transfer": {"intermediate_epochs": 1},
        },
        # kerasuite bert distill sentiment --teacher runs/bert-finetune/demo --preset demo
        "demo": {
            "epochs": 8,
            "learning_rate": 2e-3,
            "encoder": {
                "num_layers": 2,
                "hidden_dim": 32,
                "num_heads": 4,
                "intermediate_dim": 64,
                "dropout": 0.0,
                "attention_dropout": 0.0,
            },
            "head": {"pooling": "mean"},
            "transfer": {"intermediate_epochs": 4},
        },
        # Jiao et al., 2020: layers first, then predictions.
        # kerasuite bert distill sst2 --teacher runs/bert-finetune/sst2 --preset tinybert4
        "tinybert4": {"encoder": TINYBERT_4, "transfer": {"intermediate_epochs": 7}},
        "tinybert6": {"encoder": TINYBERT_6, "transfer": {"intermediate_epochs": 7}},
        # Sun et al., 2019: every k-th layer, or the last ones; both losses together.
        "pkd-skip": {"encoder": TINYBERT_6, "transfer": PATIENT},
        "pkd-last": {"encoder": TINYBERT_6, "transfer": {**PATIENT, "mapping": "last"}},
        # Sanh et al., 2019: predictions at a temperature and the cosine of the last layer.
        "distilbert": {
            "encoder": TINYBERT_6,
            "transfer": {
                **NO_LAYERS,
                "cosine_weight": 0.14,
                "soft_weight": 0.71,
                "temperature": 2.0,
            },
        },
    }  # fmt: skip
