"""Distillation for a task, as the engine sees it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from apps.bert.distillation.config import DistillConfig
from apps.bert.distillation.distiller import Distiller
from apps.bert.distillation.layer_transfer import needed_outputs
from apps.bert.distillation.student import check_layer_losses, prepare_student
from apps.bert.distillation.teacher import teacher_artifacts, teacher_of
from apps.bert.distillation.teacher_outputs import (
    DistillationExamples,
    TeacherOutputs,
    planned_outputs,
    write_outputs,
)
from apps.bert.encoder_config import EncoderConfig
from apps.bert.finetuning.app import FinetuneApp
from apps.bert.finetuning.task_types import TASK_TYPES, TaskType
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.engine.distribution.strategy import set_precision, set_seeds
from shared.engine.run import Run
from shared.text.text_batches import training_batches

# Folder of the teacher's outputs in a run: beside all else that only a resumed training needs.
TEACHER_OUTPUTS = Path("checkpoints") / "teacher_outputs"


class DistillApp(FinetuneApp):
    """BERT distillation: a small student learns the task of a fine-tuned teacher."""

    name = "bert-distill"
    config_class = DistillConfig

    # === Student and teacher ===

    def prepare(self, run: Run) -> None:
        """Also computes the teacher's outputs for all training examples, with --cache-teacher."""
        super().prepare(run)
        self.teacher = teacher_of(run, run.strategy)
        # A finished run needs neither the teacher nor its outputs.
        if run.config.transfer.cache_teacher and "teacher_outputs_bytes" not in run.artifacts:
            run.artifacts["teacher_outputs_bytes"] = self._keep_outputs(run)
            run.save_artifacts()

    def labels_of(self, run: Run, task_type: type[TaskType], examples: list) -> list[str]:
        teacher = self._teacher_artifacts(run)
        if TASK_TYPES[teacher["task_type"]] is not task_type:
            raise KerasuiteError(
                f"--teacher {run.config.transfer.teacher}: learnt {teacher['task_type']}, the "
                f"data are for {task_type.name}; give a teacher of this task, or set --task-type "
                f"or --kind"
            )
        return teacher["labels"]

    def prepare_start(self, run: Run, texts: Callable[[], Iterable[str]]) -> dict[str, Any]:
        """Vocabulary, encoder and layer mapping, see `prepare_student`."""
        check_stages(run.config)
        length = "--max-length", run.config.task_data.max_length
        start = prepare_student(run, texts, self._teacher_artifacts(run), length)
        transfer = run.config.transfer
        if transfer.intermediate_epochs or transfer.patient_weight:
            check_layer_losses(transfer, start["layer_mapping"])
        return start

    def _teacher_artifacts(self, run: Run) -> dict[str, Any]:
        return teacher_artifacts(run.config.transfer.teacher, "fine-tuned")

    def _keep_outputs(self, run: Run) -> int:
        """Write the teacher's outputs unless they exist, and return their size in bytes."""
        folder, transfer = run.folder / TEACHER_OUTPUTS, run.config.transfer
        needed = needed_outputs(transfer, run.artifacts["layer_mapping"])
        encoder = configs.from_dict(EncoderConfig, self._teacher_artifacts(run)["encoder"])
        head = self.task_type.name, self.task_type.num_outputs
        outputs = planned_outputs(self.train_features(run), *head, encoder, needed)
        if not folder.is_dir():
            write_outputs(outputs, teacher_of(run), needed, folder)
            reset_session(run)
        return outputs.nbytes

    # === Data ===

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        """Training examples with the teacher's outputs, where these are cached."""
        if split != "train" or not self._has_outputs(run):
            return super().dataset(run, split, start_step)
        outputs = TeacherOutputs.load(run.folder / TEACHER_OUTPUTS, self.train_features(run))

        def batches(with_layers: bool, begin: int) -> tf.data.Dataset:
            examples = DistillationExamples(outputs, with_layers)
            return training_batches(examples, self.plan(run), begin, run.worker)

        epochs = run.config.transfer.intermediate_epochs
        if not epochs:
            return batches(True, start_step)
        border = max(start_step, epochs * self.steps_per_epoch(run))
        layers = batches(True, start_step).take(border - start_step)
        return layers.concatenate(batches(False, border))

    def _has_outputs(self, run: Run) -> bool:
        return run.config.transfer.cache_teacher and (run.folder / TEACHER_OUTPUTS).is_dir()

    # === Model ===

    def make_model(self, run: Run) -> Distiller:
        model = Distiller(
            *self.model_arguments(run),
            transfer=run.config.transfer,
            teacher_dim=run.artifacts["teacher_dim"],
            mapping=run.artifacts["layer_mapping"],
        )
        model.teacher = self.teacher
        return model

    def begin_epoch(self, run: Run, model: keras.Model, epoch: int) -> None:
        """Loads the teacher, and switches from the layers to the predictions."""
        super().begin_epoch(run, model, epoch)
        if not self._has_outputs(run):
            self.teacher.load()
        epochs = run.config.transfer.intermediate_epochs
        model.stage = "both" if not epochs else "intermediate" if epoch < epochs else "prediction"
        # Otherwise weight decay would shrink what a stage does not train.
        model.head.trainable = model.stage != "intermediate"
        model.transfer.trainable = model.stage != "prediction"

    def may_be_best(self, run: Run, epoch: int) -> bool:
        """Only in the prediction stage: before it the scores are those of an untrained head."""
        return epoch > run.config.transfer.intermediate_epochs


def check_stages(config: DistillConfig) -> None:
    """Raises KerasuiteError if no epoch is left for the predictions."""
    layers = config.transfer.intermediate_epochs
    if layers >= config.epochs:
        raise KerasuiteError(
            f"--intermediate-epochs {layers}: leaves none of {config.epochs} epochs for the "
            f"predictions; lower it or raise --epochs"
        )


def reset_session(run: Run) -> None:
    """Reset names and seeds, so that the student is the same with and without a cache."""
    keras.utils.clear_session()
    set_seeds(run.config.seed, run.config.deterministic)
    set_precision(run.config.precision)
