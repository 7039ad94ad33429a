"""Reads files of any supported format and infers the type of the task."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from apps.bert.tasks.columns import Columns
from apps.bert.tasks.conll import looks_like_conll, read_conll
from apps.bert.tasks.examples import (
    CHOICE,
    CLASSIFICATION,
    MULTILABEL,
    PAIR,
    QUESTIONS,
    TAGGING,
    Examples,
)
from apps.bert.tasks.splits import hold_out, training_files, validation_files
from apps.bert.tasks.squad import has_questions, read_squad
from apps.bert.tasks.text_tables import read_text_table
from shared.common.errors import KerasuiteError
from shared.text.tables.formats import TSV, is_table, table_suffix
from shared.text.tables.label_sets import SINGLE, LabelCells


@dataclasses.dataclass(frozen=True)
class FoundTask:
    """The data of a run.

    Attributes:
        train, validation: examples of one task type.
        from_split: bool. Whether the validation examples were held out from the training files.
    """

    train: Examples
    validation: Examples
    from_split: bool

    @property
    def task_type(self) -> str:
        return self.train.task_type

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.train.problems + self.validation.problems))

    @property
    def file_problems(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.train.file_problems + self.validation.file_problems))

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.train.notes + self.validation.notes))


def find_task(
    data: Sequence[str | Path],
    validation: Sequence[str | Path] = (),
    share: float = 0.1,
    seed: int = 0,
    task_type: str = "auto",
    columns: Columns = Columns(),
    label_cells: LabelCells = LabelCells(),
) -> FoundTask:
    """Reads training and validation examples.

    Args:
        data: files and folders, see `training_files`.
        validation: files and folders, see `validation_files`; without any, a share of the
            training examples is held out.
        share, seed: see `hold_out`.
        task_type: name of a task type, or "auto".
        columns: columns of tables that the user named.
        label_cells: how tables hold one label or several.

    Raises:
        KerasuiteError: if files are missing, unreadable, or of different task types.
    """
    train = read_files(training_files(data), task_type, columns, label_cells)
    files = validation_files(data, validation)
    if files:
        # One label stays one, and several have the same separator, whatever these cells look like.
        kind = MULTILABEL if train.task_type == MULTILABEL else SINGLE
        cells = LabelCells(kind, train.separator)
        validation = read_files(files, train.task_type, columns, cells)
        return FoundTask(_learnable(train), validation, from_split=False)
    parts = hold_out(train.examples, share, seed)
    train, validation = (dataclasses.replace(train, examples=part) for part in parts)
    return FoundTask(_learnable(train), validation, from_split=True)


def read_files(
    paths: Sequence[Path],
    task_type: str = "auto",
    columns: Columns = Columns(),
    label_cells: LabelCells = LabelCells(),
) -> Examples:
    """The labelled examples of several files.

    Args:
        paths: the files.
        task_type: name of a task type, or "auto".
        columns: columns of tables that the user named.
        label_cells: how tables hold one label or several.
    """
    parts = []
    for path, part in _with_equal_labels(paths, task_type, columns, label_cells):
        if parts and part.task_type != parts[0].task_type:
            raise KerasuiteError(
                f"{path}: is of task type {part.task_type}, but {paths[0]} is of task type "
                f"{parts[0].task_type}; give --task-type, or files of one type"
            )
        if parts and _choices(part) != _choices(parts[0]):
            raise KerasuiteError(
                f"{path}: has {_choices(part)} choices a row, but {paths[0]} has "
                f"{_choices(parts[0])}; give files with equally many"
            )
        parts.append(part)
    return Examples(
        parts[0].task_type,
        [example for part in parts for example in part.examples],
        tuple(problem for part in parts for problem in part.problems),
        tuple(note for part in parts for note in part.notes),
        tuple(problem for part in parts for problem in part.file_problems),
        next((part.separator for part in parts if part.separator), ""),
    )


def _with_equal_labels(paths, task_type, columns, label_cells) -> list[tuple[Path, Examples]]:
    """Each file and its examples; all have several labels where those of one have."""
    parts = [read_file(path, task_type, columns, label_cells) for path in paths]
    several = next((part for part in parts if part.task_type == MULTILABEL), None)
    if several is not None:
        cells = LabelCells(MULTILABEL, several.separator)
        for number, part in enumerate(parts):
            if part.task_type in (CLASSIFICATION, PAIR):
                parts[number] = read_file(paths[number], MULTILABEL, columns, cells)
    return list(zip(paths, parts, strict=True))


def read_file(
    path: Path,
    task_type: str = "auto",
    columns: Columns = Columns(),
    label_cells: LabelCells = LabelCells(),
) -> Examples:
    """The labelled examples of one file; see `read_text_table`, `read_conll` and `read_squad`.

    Args:
        path: the file.
        task_type: name of a task type, or "auto".
        columns: columns of tables that the user named.
        label_cells: how tables hold one label or several.

    Raises:
        KerasuiteError: if the file cannot be read, or no row of it can.
    """
    path = Path(path)
    if not path.is_file():
        raise KerasuiteError(f"{path}: no such file; check the path")
    if task_type == QUESTIONS or (task_type == "auto" and has_questions(path)):
        return read_squad(path)
    # Of the table formats those with tabs may hold CoNLL columns (GermEval's is a .tsv).
    table = is_table(path) and table_suffix(path) not in TSV
    if task_type == TAGGING or (task_type == "auto" and not table and looks_like_conll(path)):
        return read_conll(path, named=columns)
    found = read_text_table(path, columns, task_type, label_cells=label_cells)
    if not found.examples:
        raise KerasuiteError(f"no row of it can be used; {_first(found, path)}")
    return found


def _learnable(train: Examples) -> Examples:
    """Without the questions whose answers have no place in their context."""
    if train.task_type != QUESTIONS:
        return train
    examples = [example for example in train.examples if example.has_span]
    if not examples:
        raise KerasuiteError(f"no question to train on; {train.notes[-1]}")
    return dataclasses.replace(train, examples=examples)


def _choices(found: Examples) -> int:
    """Number of choices of each example; 0 for other task types."""
    return len(found.examples[0].choices) if found.task_type == CHOICE else 0


def _first(found: Examples, path: Path) -> str:
    return (*found.problems, *found.notes, f"{path}: no labels in it; name --label-column")[0]
