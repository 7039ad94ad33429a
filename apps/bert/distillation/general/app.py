"""General distillation, as the engine sees it."""

from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from apps.bert.distillation.general.config import GeneralDistillConfig
from apps.bert.distillation.general.evaluator import HeldOutText
from apps.bert.distillation.general.general_distiller import GeneralDistiller
from apps.bert.distillation.student import check_layer_losses, prepare_student
from apps.bert.distillation.teacher import teacher_artifacts, teacher_of
from apps.bert.pretraining.app import PretrainApp
from apps.bert.start import encoder_shape
from shared.engine.run import Run


class GeneralDistillApp(PretrainApp):
    """BERT general distillation: a small encoder learns from a pretrained teacher on plain text."""

    name = "bert-distill-general"
    config_class = GeneralDistillConfig
    monitor = ("val_loss", "min")
    validation = "the text held out for validation"
    limits = (
        "A start for a student of one task ('kerasuite bert distill' or 'finetune' with --init): "
        "its layers are like the teacher's, but its pooler is untrained. It has the prejudices of "
        "the teacher and of the text."
    )

    # === Student and teacher ===

    def prepare(self, run: Run) -> None:
        super().prepare(run)
        self.teacher = teacher_of(run, run.strategy)

    def prepare_start(self, run: Run, texts: Callable[[], Iterable[str]]) -> dict[str, Any]:
        """Vocabulary, encoder and layer mapping, see `prepare_student`."""
        config = run.config
        teacher = teacher_artifacts(config.transfer.teacher, "pretrained")
        length = "--sequence-length", config.sequences.sequence_length
        start = prepare_student(run, texts, teacher, length)
        check_layer_losses(config.transfer, start["layer_mapping"])
        return start

    def masking(self, run: Run) -> None:
        """None: the teacher reads text without masks."""
        return None

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        # Training and evaluation both pass here, outside of any graph; an export does not.
        self.teacher.load()
        return super().dataset(run, split, start_step)

    # === Model and results ===

    def make_model(self, run: Run) -> GeneralDistiller:
        artifacts = run.artifacts
        model = GeneralDistiller(
            encoder_shape(run),
            artifacts["vocabulary_size"],
            run.config.transfer,
            artifacts["teacher_dim"],
            artifacts["layer_mapping"],
        )
        model.teacher = self.teacher
        return model

    def evaluator(self, run: Run) -> HeldOutText:
        return HeldOutText()
