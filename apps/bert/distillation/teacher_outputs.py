"""The outputs of a teacher for every training example, cached on disk.

Logits are kept as float32, layer outputs as float16. Each output is a file of its own.
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from apps.bert.distillation.layer_transfer import LayerOutput
from apps.bert.distillation.ragged_layout import RaggedLayout
from apps.bert.distillation.teacher import Teacher
from apps.bert.encoder_config import EncoderConfig
from apps.bert.finetuning.features import Features
from shared.common.checksums import verify_checksum, write_checksum
from shared.common.files import atomic_folder, write_json
from shared.common.progress import Progress
from shared.engine.saved_model.export_target import check_target
from shared.text.text_batches import evaluation_batches

LOGITS, INDEX = "logits", "outputs.json"
# Examples of a batch of the teacher.
BATCH = 32
# Logit of a `SpanHead` where no answer can be, so that padding has no share in the softmax.
NO_ANSWER = -1e9


@dataclasses.dataclass(frozen=True)
class TeacherOutputs:
    """Outputs of a teacher by name.

    Attributes:
        features: the training examples.
        layouts: by output, the layout of its file: "logits" have a row for each example, layer
            outputs for each packed row.
        arrays: by output, the values of its file as a memory map; empty before `load`.
    """

    features: Features
    layouts: dict[str, RaggedLayout]
    arrays: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return sum(layout.nbytes for layout in self.layouts.values())

    def rows(self, name: str, chosen: np.ndarray) -> np.ndarray:
        """The rows of an output that belong to examples, all choices of each."""
        choices = self.features.choices
        if name == LOGITS or choices == 1:
            return chosen
        return (chosen[:, None] * choices + np.arange(choices)).ravel()

    def batch(self, chosen: np.ndarray, with_layers: bool) -> dict[str, np.ndarray]:
        """Padded outputs (B, ...) of examples, with choices (B, K, ...); layers may be empty."""
        found = {}
        for name, layout in self.layouts.items():
            rows = self.rows(name, chosen)
            if name == LOGITS or with_layers:
                values = layout.padded(self.arrays[name], rows)
            else:
                values = layout.empty(len(rows))
            found[name] = values.reshape(len(chosen), *self._choices(name), *values.shape[1:])
        return found

    def batch_spec(self) -> dict[str, tf.TensorSpec]:
        return {
            name: tf.TensorSpec([None, *self._choices(name), *layout.shape], layout.dtype)
            for name, layout in self.layouts.items()
        }

    def _choices(self, name: str) -> tuple[int, ...]:
        many = name != LOGITS and self.features.choices > 1
        return (self.features.choices,) if many else ()

    @classmethod
    def load(cls, folder: Path, features: Features) -> "TeacherOutputs":
        """Opens the files that `write_outputs` wrote.

        Raises:
            KerasuiteError: if one of them is damaged.
        """
        kept = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        outputs = cls(features, {
            name: RaggedLayout(_lengths(name, features), **values | {"shape": (*values["shape"],)})
            for name, values in kept.items()
        })  # fmt: skip
        for name, layout in outputs.layouts.items():
            mend = f"remove {folder} and --resume; the teacher then answers in each step"
            verify_checksum(folder / name, mend)
            outputs.arrays[name] = np.memmap(folder / name, layout.dtype, mode="r")
        return outputs


def planned_outputs(
    features: Features,
    task_type: str,
    num_outputs: int,
    encoder: EncoderConfig,
    needed: Sequence[LayerOutput],
) -> TeacherOutputs:
    """The outputs to keep, with their sizes, before the teacher has computed them.

    Args:
        features: the training examples.
        task_type: task type of the teacher.
        num_outputs: outputs of its head.
        encoder: configuration of its encoder.
        needed: the layer outputs that the losses need.
    """
    by_token = task_type in ("tagging", "question-answering")
    items = features.choices if task_type == "choice" else num_outputs
    shape = (None, items) if by_token else (items,)
    padding = NO_ANSWER if task_type == "question-answering" else 0.0
    layouts = {LOGITS: RaggedLayout(_lengths(LOGITS, features), shape, padding=padding)}
    for output in needed:
        lengths = _lengths(output.name, features)
        layouts[output.name] = RaggedLayout(lengths, output.shape(encoder), "float16")
    return TeacherOutputs(features, layouts)


def write_outputs(
    outputs: TeacherOutputs, teacher: Teacher, needed: Sequence[LayerOutput], folder: Path
) -> None:
    """Computes and writes the outputs of a teacher for all examples.

    Args:
        outputs: from `planned_outputs`.
        teacher: the teacher.
        needed: the layer outputs that the losses need.
        folder: the folder to write; exists only once it is complete.

    Raises:
        KerasuiteError: if the disk has too little space.
    """
    # The remains of a killed process may fill the disk.
    for left in folder.parent.glob(".partial-*"):
        shutil.rmtree(left, ignore_errors=True)
    mend = "leave out --cache-teacher"
    check_target(folder.parent, needed_bytes=outputs.nbytes, mend=mend)
    teacher.load()
    layouts, count = outputs.layouts, len(outputs.features)
    with (
        atomic_folder(folder) as temporary,
        ExitStack() as stack,
        Progress(count, "example", "teacher outputs") as progress,
    ):
        progress.log(f"--cache-teacher: {outputs.nbytes / 1e6:,.1f} MB in {folder}")
        files = {name: stack.enter_context(open(temporary / name, "wb")) for name in layouts}
        for chosen, batch in _batches(outputs.features, teacher, needed):
            for name, values in batch.items():
                layouts[name].write(files[name], outputs.rows(name, chosen), values.numpy())
            progress.advance(len(chosen))
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
            write_checksum(Path(file.name))
        write_json(temporary / INDEX, {name: _saved(layouts[name]) for name in layouts})


def _batches(
    features: Features, teacher: Teacher, needed: Sequence[LayerOutput]
) -> Iterator[tuple[np.ndarray, dict[str, tf.Tensor]]]:
    """Indices of examples and the teacher's outputs for them, in order of length."""
    batches = evaluation_batches(features, features.lengths, BATCH)
    x_spec, _ = batches.element_spec
    answer = tf.function(lambda x: teacher(x, needed), input_signature=[x_spec], autograph=False)
    for x, y in batches:
        yield y["index"].numpy(), answer(x)


@dataclasses.dataclass(frozen=True)
class DistillationExamples:
    """Training examples, each with the outputs of the teacher.

    Attributes:
        outputs: the teacher's outputs.
        with_layers: whether to read the layer outputs, which are most of the bytes.
    """

    outputs: TeacherOutputs
    with_layers: bool

    def batch(self, chosen: np.ndarray) -> Any:
        x, y = self.outputs.features.batch(chosen)
        return x, y | {"teacher": self.outputs.batch(chosen, self.with_layers)}

    def batch_spec(self) -> Any:
        x, y = self.outputs.features.batch_spec()
        return x, y | {"teacher": self.outputs.batch_spec()}


def _lengths(name: str, features: Features) -> np.ndarray:
    return features.lengths if name == LOGITS else features.rows.token_ids.lengths


def _saved(layout: RaggedLayout) -> dict[str, Any]:
    return {name: getattr(layout, name) for name in ("shape", "dtype", "padding")}
