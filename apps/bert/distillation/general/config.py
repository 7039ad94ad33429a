"""Configuration of general distillation."""

from typing import Any, ClassVar

from apps.bert.distillation.config import TINYBERT_4, TINYBERT_6, LayerTransferConfig
from apps.bert.encoder_config import TEST_ENCODER
from apps.bert.pretraining.config import CorpusConfig
from shared.common.config import config_class, group, option

# Jiao et al., 2020, section 4.1: the hyper-parameters of BERT, three passes over Wikipedia. Two
# segments, so that the embeddings of both are learnt.
PAPER = {
    "batch_size": 256,
    "learning_rate": 1e-4,
    "sequences": {"sequence_length": 128, "pairs": "next"},
}


@config_class
class GeneralDistillConfig(CorpusConfig):
    """Configuration of a distillation on plain text."""

    task: ClassVar[str] = "bert-distill-general"

    epochs: int = option(3, "Passes over the sequences.", ge=1)
    learning_rate: float = option(3e-4, "Peak learning rate.", gt=0)
    transfer: LayerTransferConfig = group(LayerTransferConfig)

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        # Small enough for tests; no dropout, so that any number of devices agrees.
        "test": {
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 3e-3,
            "deterministic": True,
            "sequences": {"sequence_length": 32, "pairs": "next", "validation_split": 0.2},
            "encoder": {**TEST_ENCODER, "num_layers": 1, "hidden_dim": 12},
        },
        # kerasuite bert distill-general wikipedia/ --teacher runs/bert --preset tinybert4
        "tinybert4": {**PAPER, "encoder": TINYBERT_4},
        "tinybert6": {**PAPER, "encoder": TINYBERT_6},
    }
