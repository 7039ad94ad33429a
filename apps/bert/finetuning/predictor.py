"""Base class of batch inference with fine-tuned models: files of text to rows.

A file's ending decides how it is read; a file that a model cannot read is refused as a whole, in
one line. Only a tagger looks into files: a .txt or .tsv that looks like CoNLL columns is read as
such (see `looks_like_conll`), any other .txt as lines of text.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apps.bert.tasks.columns import Columns
from apps.bert.tasks.conll import ENDINGS, PARTS
from apps.bert.tasks.examples import Examples
from apps.bert.tasks.squad import has_questions
from apps.bert.tasks.text_tables import read_text_table
from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.common.messages import warn
from shared.engine.prediction.line_predictor import LinePredictor
from shared.text.line_files import read_line
from shared.text.tables.formats import CSV, JSON, PARQUET, TSV, table_suffix

LINES = (".txt", ".text", ".md")
# A .txt holds lines of text here, where it may be a table in training.
TABLES = tuple(ending for ending in (*TSV, *CSV, *JSON, *PARQUET) if ending not in LINES)
CONLL = (*ENDINGS, *PARTS)
STRUCTURED = (*TABLES, *CONLL)
DIGITS = 6


class FineTunedPredictor(LinePredictor):
    """Base class: files become rows, each a source of its own.

    Args:
        task: content of `task.json` of the SavedModel: "task_type", "labels", "paired", "columns".

    Attributes:
        table_endings: endings of the tables that it reads.
        reads: description of the files that it reads, for messages.
    """

    unit = "text"
    suffixes = (*LINES, *TABLES, ".gz")
    table_endings = TABLES
    reads = (
        "lines of text (.txt), or a table (.tsv, .csv, .jsonl with one object a line, .json, "
        ".parquet)"
    )

    def __init__(self, task: dict[str, Any]):
        self.task = task
        self._noted: set[Path] = set()

    def settings(self):
        return {"task_type": self.task["task_type"]}

    def split(self, source: Source) -> Iterator[Source]:
        if source.path is None or not self.is_structured(source.path):
            yield from super().split(source)
            return
        found = self.examples(source.path)
        if source.path not in self._noted:  # The page of the first results reads them again.
            self._noted.add(source.path)
            for note in (*found.notes, *found.file_problems):
                warn(note)
        for line, content in _in_order(found):
            yield dataclasses.replace(source, line=line, content=content)

    def count(self, source: Source) -> int:
        if source.path is None or not self.is_structured(source.path):
            return super().count(source)
        found = self.examples(source.path)
        return len(found) + len(found.problems)

    def is_structured(self, path: Path) -> bool:
        """Whether a file is more than lines of text.

        Raises:
            KerasuiteError: if the model does not read such files.
        """
        ending = table_suffix(path)
        if ending in STRUCTURED and ending not in self.table_endings:
            self.refuse(path)
        if ending == ".json" and has_questions(path):
            self.refuse(path)
        return ending in self.table_endings

    def refuse(self, path: Path) -> None:
        """Raises KerasuiteError for a file that the model does not read."""
        raise KerasuiteError(f"{path.name}: is no file for this model; give {self.reads}")

    @property
    def columns(self) -> Columns:
        """The columns of the training data that the user named; only texts and tags have any."""
        return Columns(**self.task.get("columns", {}))

    def examples(self, path: Path) -> Examples:
        """The examples of a structured file."""
        task_type = "choice" if self.task["task_type"] == "choice" else "classification"
        return read_text_table(path, self.columns, task_type, labelled=False)

    def content(self, source: Source) -> Any:
        """The example of a source, or the text of its line."""
        if isinstance(source.content, str):
            raise KerasuiteError(source.content)
        if isinstance(source.content, bytes) or source.content is None:
            return read_line(source)
        return source.content

    def size(self, example):
        return sum(len(text) for text in example.values() if isinstance(text, str))


def _in_order(found: Examples) -> list[tuple[int, Any]]:
    """(line, example or problem of the row), in order of the lines."""
    rows = [(_line(example.id), example) for example in found.examples]
    for problem in found.problems:
        location, _, message = problem.partition(": ")
        rows.append((_line(location), message or problem))
    return sorted(rows, key=lambda row: row[0])


def _line(location: str) -> int:
    """Line number of a location: 17 for "train.tsv:17"."""
    number = location.rpartition(":")[2]
    return int(number) if number.isdigit() else 0
