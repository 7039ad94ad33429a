"""The teacher: the model of a finished run, never trained further."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from apps.bert.distillation.layer_transfer import LayerOutput
from apps.bert.runs import app_of
from shared.common.errors import KerasuiteError
from shared.common.files import read_json
from shared.engine.distribution.strategy import set_precision
from shared.engine.load_app import load_app
from shared.engine.run import Run, load_best, open_run

# Which command makes which teacher.
MADE_BY = {
    "fine-tuned": "'kerasuite bert finetune'",
    "pretrained": "'kerasuite bert pretrain' or 'kerasuite bert import'",
}


class Teacher:
    """A trained model that is evaluated only: neither trained nor saved with the student.

    Args:
        read: returns the model: a `FineTuner`, or a model with `encode` where only layers are
            needed.
    """

    def __init__(self, read: Callable[[], keras.Model]):
        self._read, self.model = read, None

    def load(self) -> None:
        """Load the model, once; before the first call, which may be inside a graph."""
        if self.model is None:
            self.model = self._read()
            self.model.trainable = False

    def __call__(self, x, needed: Sequence[LayerOutput] = ()) -> dict[str, Any]:
        """The needed layer outputs by name, and "logits" where the model has a head."""
        if needed:
            layers = {"output_hidden_states": True, "output_attentions": "scores"}
            encoded = self.model.encode(x, training=False, **layers)
        else:
            encoded = self.model.encode_for_head(x, training=False)
        found = {output.name: output.select(encoded) for output in needed}
        if hasattr(self.model, "head"):
            found["logits"] = self.model.head(encoded, x, training=False)
        return {name: ops.stop_gradient(value) for name, value in found.items()}


def teacher_of(run: Run, strategy: tf.distribute.Strategy | None = None) -> Teacher:
    """The teacher of a run, under the given strategy or on one device."""

    def read() -> keras.Model:
        folder = Path(run.config.transfer.teacher)
        if not (folder / "model.keras").is_file():
            raise KerasuiteError(f"--teacher {folder}: is gone; put the run back there")
        app = load_app(app_of(folder))
        model = load_best(app, open_run(app, folder, strategy))
        # Layers built from here on are the student's again.
        set_precision(run.config.precision)
        return model

    return Teacher(read)


def teacher_artifacts(run_folder: str, wanted: str) -> dict[str, Any]:
    """The artifacts of a teacher's run.

    Args:
        run_folder: the run folder.
        wanted: a key of `MADE_BY`.

    Raises:
        KerasuiteError: if it is no such run.
    """
    if not run_folder:
        raise KerasuiteError(f"--teacher: name the {wanted} run that the student learns from")
    folder = Path(run_folder)
    path = folder / "artifacts.json"
    artifacts = read_json(path) if path.is_file() else {}
    fits = "encoder" in artifacts and ("task_type" in artifacts) == (wanted == "fine-tuned")
    if not fits or not (folder / "model.keras").is_file():
        raise KerasuiteError(
            f"--teacher {folder}: is no {wanted} run; make one with {MADE_BY[wanted]}"
        )
    return artifacts
