"""Configuration of pretraining."""

from operator import not_
from typing import Any, ClassVar, Literal

from apps.bert.encoder_config import TEST_ENCODER, EncoderConfig
from apps.bert.run_config import BertRunConfig
from apps.bert.vocabulary import VocabularyConfig
from shared.common.config import OptimizationConfig, config_class, group, option


@config_class
class SequenceConfig:
    """Sequences of the training text."""

    sequence_length: int = option(128, "Length of a sequence in word pieces.", ge=16)
    pairs: Literal["none", "next", "order"] = option(
        "none",
        "Two segments a sequence: next-sentence (BERT) or sentence-order prediction (ALBERT).",
    )
    validation: tuple[str, ...] = option((), "Validation text; by default a share of the data.")
    validation_split: float = option(
        0.05, "Share of the text held out for validation where there is no such text.",
        used_with={"validation": not_}, gt=0, le=0.5,
    )  # fmt: skip


@config_class
class MaskingConfig:
    """Masking of the word pieces to predict."""

    masking: Literal["dynamic", "static"] = option(
        "dynamic", "New masks every epoch (RoBERTa) or the same ones (BERT)."
    )
    mask_share: float = option(0.15, "Share of the word pieces to predict.", gt=0, lt=1)
    whole_word: bool = option(False, "Mask all pieces of a word together.")


@config_class
class CorpusConfig(BertRunConfig):
    """Configuration common to all trainings of an encoder on plain text."""

    batch_size: int = option(64, "Global batch size, over all devices.", ge=1)
    sequences: SequenceConfig = group(SequenceConfig)
    encoder: EncoderConfig = group(EncoderConfig)
    optimization: OptimizationConfig = group(
        lambda: OptimizationConfig(weight_decay=0.01, schedule="linear", clip_norm=1.0)
    )


@config_class
class PretrainConfig(CorpusConfig):
    """Configuration of a pretraining."""

    task: ClassVar[str] = "bert-pretrain"
    metrics: ClassVar[dict[str, str]] = {
        "loss": "min",
        "masked_accuracy": "max",
        "next_accuracy": "max",
    }

    epochs: int = option(10, "Passes over the sequences.", ge=1)
    learning_rate: float = option(1e-3, "Peak learning rate.", gt=0)
    tokens: VocabularyConfig = group(VocabularyConfig)
    masking: MaskingConfig = group(MaskingConfig)

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests; no dropout, so that any number of devices agrees.
        "test": {
            "epochs": 2,
            "batch_size": 8,
            "deterministic": True,
            "tokens": {"vocabulary_size": 150},
            "sequences": {"sequence_length": 32, "pairs": "next", "validation_split": 0.2},
            "encoder": TEST_ENCODER,
        },
        # BERT-tiny of Turc et al., 2019, https://arxiv.org/abs/1908.08962, on a few million words.
        # kerasuite bert pretrain wikitext-2 --preset tiny
        "tiny": {
            "epochs": 20,
            "learning_rate": 2e-3,
            "sequences": {"sequence_length": 64},
            "encoder": {
                "num_layers": 2,
                "hidden_dim": 128,
                "num_heads": 2,
                "intermediate_dim": 512,
                "dropout": 0.0,
                "attention_dropout": 0.0,
            },
        },
        "mini": {
            "encoder": {
                "num_layers": 4, "hidden_dim": 256, "num_heads": 4, "intermediate_dim": 1024,
            },
        },
        # Devlin et al., 2019; --optimizer lamb suits larger batches.
        "base": {
            "batch_size": 256,
            "learning_rate": 1e-4,
            "tokens": {"vocabulary_size": 30000},
            "sequences": {"pairs": "next", "sequence_length": 512},
        },
    }  # fmt: skip
