"""Mapping from the layers of a student to the layers of a teacher.

Layers are counted from 1; layer 0 is the embeddings.

Reference: [Jiao et al., 2020, section 3.1](https://arxiv.org/abs/1909.10351) for "uniform";
[Sun et al., 2019, section 3.2](https://arxiv.org/abs/1908.09355) for "last"
"""

from collections.abc import Sequence

from shared.common.errors import KerasuiteError


def map_layers(
    student_layers: int, teacher_layers: int, mapping: str, custom: Sequence[int] = ()
) -> list[int]:
    """The teacher's layer for each of the student's.

    Args:
        student_layers, teacher_layers: int. M and N.
        mapping: "uniform" (layer m learns from m N / M, rounded), "last" (from m + N - M) or
            "custom".
        custom: ints. The teacher's layers, for "custom".

    Raises:
        KerasuiteError: if the student is deeper than the teacher, or `custom` does not fit.
    """
    if mapping == "custom":
        return _checked(custom, student_layers, teacher_layers)
    if student_layers > teacher_layers:
        raise KerasuiteError(
            f"--num-layers {student_layers}: the teacher has {teacher_layers}; give the student no "
            f"more, or map the layers with --mapping custom --teacher-layers"
        )
    layers = range(1, student_layers + 1)
    if mapping == "last":
        return [layer + teacher_layers - student_layers for layer in layers]
    return [round(layer * teacher_layers / student_layers) for layer in layers]


def mapping_note(student_layers: int, teacher_layers: int, mapping: str, found: list[int]) -> str:
    """A line about layers that "uniform" rounded; empty where the depths divide.

    Args:
        student_layers, teacher_layers: int. Depths of both.
        mapping: see `map_layers`.
        found: the mapping that `map_layers` returned.
    """
    if mapping != "uniform" or teacher_layers % student_layers == 0:
        return ""
    pairs = ", ".join(f"{student} from {teacher}" for student, teacher in enumerate(found, 1))
    return (
        f"{teacher_layers} layers of the teacher do not divide by the student's {student_layers}; "
        f"rounded, layer {pairs}"
    )


def _checked(custom: Sequence[int], student_layers: int, teacher_layers: int) -> list[int]:
    if len(custom) != student_layers:
        raise KerasuiteError(
            f"--teacher-layers: names {len(custom)} layers, the student has {student_layers}; "
            f"give one for each"
        )
    for layer in custom:
        if not 1 <= layer <= teacher_layers:
            raise KerasuiteError(
                f"--teacher-layers {layer}: the teacher has the layers 1 to {teacher_layers}"
            )
    return list(custom)
