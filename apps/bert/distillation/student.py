"""Inheritance of a student from its teacher: the vocabulary and the layer mapping."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from apps.bert.checkpoint.tokenizer_files import load_tokenizer, tokenizer_contents
from apps.bert.distillation.config import LayerTransferConfig
from apps.bert.distillation.layer_mapping import map_layers, mapping_note
from apps.bert.distillation.layer_transfer import LayerOutput, needed_outputs, projected_losses
from apps.bert.encoder_config import EncoderConfig
from apps.bert.start import check_shape, prepare_start
from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.common.messages import warn
from shared.engine.run import Run
from shared.text.added_tokens import SETTINGS


def prepare_student(
    run: Run, texts: Callable[[], Iterable[str]], teacher: dict[str, Any], length: tuple[str, int]
) -> dict[str, Any]:
    """Prepares the vocabulary, the encoder and the layer mapping of a student.

    The encoder is the configuration's or that of --init, the vocabulary is the teacher's.

    Args:
        run: a new run.
        texts: the training texts, see `prepare_start`.
        teacher: the artifacts of the teacher's run.
        length: option and value of the longest sequence in word pieces.

    Returns:
        The artifacts of `prepare_start`, and "teacher_dim", "layer_mapping" and
        "projected_losses".

    Raises:
        KerasuiteError: if the student cannot learn from this teacher.
    """
    start = _start(run, texts, length)
    encoders = [
        configs.from_dict(EncoderConfig, artifacts["encoder"]) for artifacts in (start, teacher)
    ]
    for name, encoder in zip(("student", "teacher"), encoders, strict=True):
        check_shape(encoder, length, name)
    mapping = _mapping(run.config.transfer, *encoders)
    _check_heads(run.config.transfer, mapping, *encoders)
    return start | {
        "teacher_dim": encoders[1].hidden_dim,
        "layer_mapping": mapping,
        "projected_losses": _projected(run.config.transfer, *encoders),
    }


def check_layer_losses(options: LayerTransferConfig, mapping: list[int]) -> None:
    """Raises KerasuiteError if no layer loss has a weight."""
    if needed_outputs(options, mapping):
        return
    if options.patient_weight:
        raise KerasuiteError(
            f"--patient-weight {options.patient_weight:g}: compares layers before the last one, "
            f"but the student has none (--num-layers {len(mapping)}); give it two layers or more"
        )
    raise KerasuiteError(
        "--hidden-weight 0: nothing is learnt from the layers; give this or another layer loss a "
        "weight"
    )


def _start(run: Run, texts: Callable[[], Iterable[str]], length: tuple[str, int]) -> dict[str, Any]:
    folder = Path(run.config.transfer.teacher)
    if run.config.init:
        start = prepare_start(run, texts, length)
        if _vocabulary(run.folder) != _vocabulary(folder):
            raise KerasuiteError(
                f"--init {run.config.init}: has another vocabulary than the teacher "
                f"{folder}; start from a student that was distilled from the same encoder"
            )
        return start
    for name, content in tokenizer_contents(folder).items():
        (run.folder / name).write_bytes(content)
    encoder = configs.to_dict(run.config.encoder)
    return {"encoder": encoder, "vocabulary_size": load_tokenizer(run.folder).vocabulary_size}


def _vocabulary(folder: Path) -> dict[str, bytes]:
    """The files of the tokens, without their settings."""
    contents = tokenizer_contents(folder)
    contents.pop(SETTINGS, None)
    return contents


def _mapping(
    options: LayerTransferConfig, student: EncoderConfig, teacher: EncoderConfig
) -> list[int]:
    depths = student.num_layers, teacher.num_layers
    mapping = map_layers(*depths, options.mapping, options.teacher_layers)
    if note := mapping_note(*depths, options.mapping, mapping):
        warn(note)
    return mapping


def _projected(
    options: LayerTransferConfig, student: EncoderConfig, teacher: EncoderConfig
) -> list[str]:
    """The losses with a projection; says so where only the widths require one."""
    widths = student.hidden_dim, teacher.hidden_dim
    found = projected_losses(options, *widths)
    direct = projected_losses(options, teacher.hidden_dim, teacher.hidden_dim)
    if added := [f"--{name}-weight" for name in found if name not in direct]:
        warn(
            f"{' and '.join(added)}: the student is {widths[0]} wide, the teacher {widths[1]}; "
            f"hidden states are compared through a learned projection"
        )
    return found


def _check_heads(
    options: LayerTransferConfig,
    mapping: list[int],
    student: EncoderConfig,
    teacher: EncoderConfig,
) -> None:
    """Attention is compared head by head; unequal numbers of heads might still broadcast."""
    for layer, source in enumerate(mapping, 1):
        output = LayerOutput("attention", source)
        if output not in needed_outputs(options, mapping):
            continue
        ours = LayerOutput("attention", layer).shape(student)[0]
        theirs = output.shape(teacher)[0]
        if ours != theirs:
            raise KerasuiteError(
                f"--num-heads {ours}: layer {source} of the teacher has {theirs}, and attention is "
                f"compared head by head; give as many, or --attention-weight 0"
            )
