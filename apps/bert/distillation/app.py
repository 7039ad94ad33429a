"""Distillation for a task, as the engine sees it."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras

from apps.bert.distillation.config import DistillConfig
from apps.bert.distillation.distiller import Distiller, Teacher
from apps.bert.distillation.layer_mapping import map_layers, mapping_note
from apps.bert.finetuning.app import FinetuneApp
from apps.bert.finetuning.kinds import Kind
from apps.bert.start import SETTINGS, VOCABULARY, load_tokenizer, prepare_start
from shared.engine.errors import KerasuiteError
from shared.engine.messages import warn
from shared.engine.run import Run, load_best, open_run
from shared.engine.strategy import set_precision


class DistillApp(FinetuneApp):
    """BERT distillation: a small student that does a fine-tuned teacher's task."""

    name = "bert-distill"
    config_class = DistillConfig

    # === What the student has from its teacher ===

    def labels_of(self, run: Run, kind: type[Kind], examples: list) -> list[str]:
        teacher = teacher_artifacts(run.config)
        if teacher["kind"] != kind.name and kind.name != "classification":
            raise KerasuiteError(
                f"--teacher {run.config.transfer.teacher}: learnt {teacher['kind']}, the data are "
                f"for {kind.name}"
            )
        return teacher["labels"]

    def prepare_start(self, run: Run, texts: Callable[[], Iterable[str]]) -> dict[str, Any]:
        """The student's own shape, or that of --init, and the teacher's vocabulary."""
        check_stages(run.config)
        folder, teacher = Path(run.config.transfer.teacher), teacher_artifacts(run.config)
        if run.config.init:
            start = prepare_start(run, texts)
            if (run.folder / VOCABULARY).read_bytes() != (folder / VOCABULARY).read_bytes():
                raise KerasuiteError(
                    f"--init {run.config.init}: has another vocabulary than the teacher "
                    f"{folder}; start from a student that was distilled from the same encoder"
                )
        else:
            for name in (VOCABULARY, SETTINGS):
                shutil.copyfile(folder / name, run.folder / name)
            tokenizer = load_tokenizer(run.folder)
            encoder = dataclasses.asdict(run.config.encoder)
            start = {"encoder": encoder, "vocabulary_size": tokenizer.vocabulary_size}
        mapping = self._mapping(run, start["encoder"], teacher["encoder"])
        return start | {"teacher_dim": teacher["encoder"]["hidden_dim"], "layer_mapping": mapping}

    def _mapping(self, run: Run, student: dict, teacher: dict) -> list[int]:
        options, depths = run.config.transfer, (student["num_layers"], teacher["num_layers"])
        mapping = map_layers(*depths, options.mapping, options.teacher_layers)
        if note := mapping_note(*depths, options.mapping, mapping):
            warn(note)
        return mapping

    # === Model ===

    def make_model(self, run: Run) -> Distiller:
        return Distiller(
            *self.model_arguments(run),
            transfer=run.config.transfer,
            teacher_dim=run.artifacts["teacher_dim"],
            mapping=run.artifacts["layer_mapping"],
        )

    def begin_epoch(self, run: Run, model: keras.Model, epoch: int) -> None:
        """Brings the teacher, and passes from the layers to the predictions."""
        super().begin_epoch(run, model, epoch)
        if model.teacher is None:
            model.teacher = self._load_teacher(run)
        epochs = run.config.transfer.intermediate_epochs
        model.stage = "both" if not epochs else "intermediate" if epoch < epochs else "prediction"
        # What a stage does not train would otherwise shrink by weight decay.
        model.head.trainable = model.stage != "intermediate"
        model.transfer.trainable = model.stage != "prediction"

    def may_be_best(self, run: Run, epoch: int) -> bool:
        """Before the predictions are learnt, scores are those of an untrained head."""
        return epoch > run.config.transfer.intermediate_epochs

    def _load_teacher(self, run: Run) -> Teacher:
        app = FinetuneApp()
        model = load_best(app, open_run(app, run.config.transfer.teacher, run.strategy))
        # What is built from here on is the student's again.
        set_precision(run.config.precision)
        return Teacher(model)


def check_stages(config: DistillConfig) -> None:
    """Raises KerasuiteError if no epoch is left for the predictions."""
    layers = config.transfer.intermediate_epochs
    if layers >= config.epochs:
        raise KerasuiteError(
            f"--intermediate-epochs {layers}: leaves none of {config.epochs} epochs for the "
            f"predictions; lower it or raise --epochs"
        )


def teacher_artifacts(config: DistillConfig) -> dict[str, Any]:
    """What the teacher's run found in its data.

    Raises:
        KerasuiteError: if no fine-tuned run is named.
    """
    folder = Path(config.transfer.teacher)
    if not config.transfer.teacher:
        raise KerasuiteError("--teacher: name the fine-tuned run that the student learns from")
    path = folder / "artifacts.json"
    artifacts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if "kind" not in artifacts or not (folder / "model.keras").is_file():
        raise KerasuiteError(
            f"--teacher {folder}: is no fine-tuned run; make one with 'kerasuite bert finetune'"
        )
    return artifacts
