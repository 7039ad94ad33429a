"""The data of a fine-tuning: reading and reporting examples, and weights of classes."""

from collections.abc import Sequence

import numpy as np

from apps.bert.finetuning.config import FinetuneConfig
from apps.bert.finetuning.task_types import TaskType
from apps.bert.finetuning.texts.features import label_targets
from apps.bert.tasks.examples import CLASSIFICATION, MULTILABEL, Examples, TextExample
from apps.bert.tasks.read import FoundTask, find_task
from shared.common.errors import KerasuiteError, UsageError
from shared.common.messages import warn
from shared.common.stratified import stratified_parts
from shared.metrics.multilabel import positive_weights
from shared.text.tables.label_sets import LabelCells


def read_data(config: FinetuneConfig) -> FoundTask:
    """Reads the training and validation examples of a configuration."""
    options = config.task_data
    return find_task(
        config.data,
        options.validation,
        options.validation_split,
        config.seed,
        options.task_type,
        options.columns,
        LabelCells(options.kind),
    )


def check_class_weights(weights: str, task_type: type[TaskType]) -> None:
    """Raises UsageError if --class-weights is given for a task without classes."""
    if weights != "none" and task_type.name not in (CLASSIFICATION, MULTILABEL):
        raise UsageError(
            f"--class-weights {weights}: weighs classes of sentences or pairs, these data are for "
            f"{task_type.name}; leave it out"
        )


def report(found: FoundTask | Examples) -> None:
    """Warns of rows that are left out, and prints the notes of the readers."""
    for note in (*found.notes, *found.file_problems):
        warn(note)
    if found.problems:
        warn(
            f"{len(found.problems)} rows are left out; the first: {found.problems[0]} "
            f"('kerasuite bert check' lists them)"
        )


def hold_out_for_thresholds(
    examples: Sequence[TextExample], labels: Sequence[str], share: float, seed: int
) -> tuple[list[TextExample], list[TextExample]]:
    """Splits training examples into (those to learn from, those that choose the thresholds).

    Every label keeps its share; examples with the same text stay together.

    Args:
        examples: of several labels.
        labels: names of the labels.
        share: float. Share of the second part.
        seed: int.

    Raises:
        KerasuiteError: if one of the parts is empty.
    """
    first = {example.text: example for example in reversed(examples)}
    targets = label_targets(list(first.values()), labels)
    part_of = dict(zip(first, stratified_parts(targets, [1 - share, share], seed), strict=True))
    parts = ([], [])
    for example in examples:
        parts[part_of[example.text]].append(example)
    if not all(parts):
        raise KerasuiteError(
            f"{len(examples)} training examples are too few to choose thresholds on a share of "
            f"them (--threshold-split {share}); add some"
        )
    return parts


def balanced_weights(labels: np.ndarray, num_classes: int) -> tuple[float, ...]:
    """Class weights by the inverse of the frequency, 1 on average.

    Args:
        labels: int (N,), the class of each example; or (N, C), 1 at each of several labels.
        num_classes: int. Number of classes; a class without examples (of a teacher) has weight 1.
    """
    if labels.ndim == 2:
        return positive_weights(labels)
    from sklearn.utils.class_weight import compute_class_weight

    weights, present = np.ones(num_classes), np.unique(labels)
    weights[present] = compute_class_weight("balanced", classes=present, y=labels)
    return tuple(weights.tolist())
