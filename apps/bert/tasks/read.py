"""Files to examples, whatever their format; what is to be learnt is told from what they hold."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from apps.bert.tasks.columns import Columns
from apps.bert.tasks.conll import looks_like_conll, read_conll
from apps.bert.tasks.examples import CHOICE, QUESTIONS, TAGGING, Examples
from apps.bert.tasks.splits import hold_out, training_files, validation_files
from apps.bert.tasks.squad import read_squad
from apps.bert.tasks.tables import is_table, table_suffix
from apps.bert.tasks.text_tables import read_text_table
from shared.common.errors import KerasuiteError


@dataclasses.dataclass(frozen=True)
class FoundTask:
    """The data of a run.

    Attributes:
        train, validation: of one kind.
        from_split: bool. Whether the validation examples were held out from the training files.
    """

    train: Examples
    validation: Examples
    from_split: bool

    @property
    def kind(self) -> str:
        return self.train.kind

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.train.problems + self.validation.problems))

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.train.notes + self.validation.notes))


def find_task(
    data: Sequence[str | Path],
    validation: Sequence[str | Path] = (),
    share: float = 0.1,
    seed: int = 0,
    kind: str = "auto",
    columns: Columns = Columns(),
) -> FoundTask:
    """Reads training and validation examples.

    Args:
        data: files and folders, see `training_files`.
        validation: files and folders, see `validation_files`; without any, a share of the
            training examples is held out.
        share, seed: see `hold_out`.
        kind: one of `KINDS`, or "auto".
        columns: columns of tables that the user named.

    Raises:
        KerasuiteError: if files are missing, unreadable, or of different kinds.
    """
    train = read_files(training_files(data), kind, columns)
    files = validation_files(data, validation)
    if files:
        return FoundTask(train, read_files(files, train.kind, columns), from_split=False)
    parts = hold_out(train.examples, share, seed)
    both = [dataclasses.replace(train, examples=part) for part in parts]
    return FoundTask(*both, from_split=True)


def read_files(paths: Sequence[Path], kind: str = "auto", columns: Columns = Columns()) -> Examples:
    """The labelled examples of several files."""
    parts = []
    for path in paths:
        part = read_file(path, kind, columns)
        if parts and part.kind != parts[0].kind:
            raise KerasuiteError(
                f"{path}: is of kind {part.kind}, but {paths[0]} is of kind {parts[0].kind}; "
                f"give --kind, or files of one kind"
            )
        if parts and _choices(part) != _choices(parts[0]):
            raise KerasuiteError(
                f"{path}: has {_choices(part)} choices a row, but {paths[0]} has "
                f"{_choices(parts[0])}; give files with equally many"
            )
        parts.append(part)
    return Examples(
        parts[0].kind,
        [example for part in parts for example in part.examples],
        tuple(problem for part in parts for problem in part.problems),
        tuple(note for part in parts for note in part.notes),
    )


def read_file(path: Path, kind: str = "auto", columns: Columns = Columns()) -> Examples:
    """The labelled examples of one file; see `read_text_table`, `read_conll` and `read_squad`.

    Raises:
        KerasuiteError: if the file cannot be read, or no row of it can.
    """
    path = Path(path)
    if not path.is_file():
        raise KerasuiteError(f"{path}: no such file; check the path")
    if kind == QUESTIONS or (kind == "auto" and table_suffix(path) == ".json"):
        return read_squad(path)
    # A table is never taken for columns of tags, except a .txt.
    table = is_table(path) and table_suffix(path) != ".txt"
    if kind == TAGGING or (kind == "auto" and not table and looks_like_conll(path)):
        return read_conll(path)
    found = read_text_table(path, columns, kind)
    if not found.examples:
        raise KerasuiteError(f"no row of it can be used; {_first(found, path)}")
    return found


def _choices(found: Examples) -> int:
    """How many choices each example has; 0 of another kind."""
    return len(found.examples[0].choices) if found.kind == CHOICE else 0


def _first(found: Examples, path: Path) -> str:
    return (*found.problems, *found.notes, f"{path}: no labels in it; name --label-column")[0]
