"""The data of a fine-tuning: reading and reporting examples, and weights of classes."""

import numpy as np

from apps.bert.finetuning.config import FinetuneConfig
from apps.bert.finetuning.task_types import TaskType
from apps.bert.tasks.examples import Examples
from apps.bert.tasks.read import FoundTask, find_task
from shared.common.errors import UsageError
from shared.common.messages import warn


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
    )


def check_class_weights(weights: str, task_type: type[TaskType]) -> None:
    """Raises UsageError if --class-weights is given for a task without classes."""
    if weights != "none" and task_type.name != "classification":
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


def balanced_weights(labels: np.ndarray, num_classes: int) -> tuple[float, ...]:
    """Class weights by the inverse of the frequency, 1 on average.

    Args:
        labels: int (N,). The class of each example.
        num_classes: int. Number of classes; a class without examples (of a teacher) has weight 1.
    """
    from sklearn.utils.class_weight import compute_class_weight

    weights, present = np.ones(num_classes), np.unique(labels)
    weights[present] = compute_class_weight("balanced", classes=present, y=labels)
    return tuple(weights.tolist())
