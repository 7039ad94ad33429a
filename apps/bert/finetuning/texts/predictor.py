"""Batch inference of sentences, pairs and choices: tables and lines of text."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from apps.bert.tasks.columns import Columns
from apps.bert.tasks.conll import ENDINGS, PARTS
from apps.bert.tasks.examples import ChoiceExample, Examples, TextExample
from apps.bert.tasks.tables import CSV, JSONL, TSV, table_suffix
from apps.bert.tasks.text_tables import read_text_table
from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.engine.prediction.line_predictor import LinePredictor
from shared.text.line_files import clean_line, raw_line, read_line

LINES = (".txt", ".text", ".md")
# A .txt holds lines of text here, where it may be a table in training.
TABLES = tuple(ending for ending in (*TSV, *CSV, *JSONL) if ending not in LINES)
CONLL = (*ENDINGS, *PARTS)
STRUCTURED = (*TABLES, *CONLL, ".json")
DIGITS = 6


class FineTunedPredictor(LinePredictor):
    """What all kinds share: files become rows, each a source of its own.

    Args:
        task: what `task.json` of the SavedModel says: "kind", "labels", "paired", "columns".

    Attributes:
        table_endings: of the tables that it reads.
        reads: what it reads, for messages.
    """

    unit = "text"
    suffixes = (*LINES, *TABLES, ".gz")
    table_endings = TABLES
    reads = "lines of text (.txt), or a table (.tsv, .csv, .jsonl with one object a line)"

    def __init__(self, task: dict[str, Any]):
        self.task = task

    def settings(self):
        return {"kind": self.task["kind"]}

    def split(self, source: Source) -> Iterator[Source]:
        if source.path is None or not self.is_structured(source.path):
            yield from super().split(source)
            return
        found = self.examples(source.path)
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
        return ending in self.table_endings

    def refuse(self, path: Path) -> None:
        """Says that a file is none of those that the model reads."""
        raise KerasuiteError(f"{path.name}: is no file for this model; give {self.reads}")

    def examples(self, path: Path) -> Examples:
        """What a structured file holds."""
        kind = "choice" if self.task["kind"] == "choice" else "classification"
        # Exports of before do not name any columns.
        columns = Columns(**self.task.get("columns", {}))
        return read_text_table(path, columns, kind, labelled=False)

    def content(self, source: Source) -> Any:
        """An example, or the text of a line."""
        if isinstance(source.content, str):
            raise KerasuiteError(source.content)
        if isinstance(source.content, bytes) or source.content is None:
            return read_line(source)
        return source.content

    def size(self, example):
        return sum(len(text) for text in example.values() if isinstance(text, str))


def _in_order(found: Examples) -> list[tuple[int, Any]]:
    """(line, example, or what is wrong with the row) in order of the lines."""
    rows = [(_line(example.id), example) for example in found.examples]
    for problem in found.problems:
        where, _, what = problem.partition(": ")
        rows.append((_line(where), what or problem))
    return sorted(rows, key=lambda row: row[0])


def _line(where: str) -> int:
    """17 of "train.tsv:17"."""
    number = where.rpartition(":")[2]
    return int(number) if number.isdigit() else 0


class TextPredictor(FineTunedPredictor):
    """Sentences, or pairs: two columns of a table, or two texts of a line parted by a tab."""

    inputs = ("text",)

    def read(self, source):
        found = self.content(source)
        if isinstance(found, TextExample):
            text, pair = found.text, found.text_pair or ""
        elif self.task["paired"]:
            # `found` has been cleaned, of its tabs as well.
            text, pair = map(clean_line, raw_line(source).partition("\t")[::2])
        else:
            text, pair = found, ""
        if not self.task["paired"]:
            return {"text": text}
        if not pair.strip():
            raise KerasuiteError("has one text; this model reads pairs, parted by a tab")
        return {"text": text, "text_pair": pair}

    def record(self, source, outputs):
        truncated = {"truncated": bool(outputs["truncated"])}
        if "score" in outputs:
            return {"score": round(float(outputs["score"]), DIGITS)} | truncated
        probabilities = np.asarray(outputs["probabilities"], np.float64).round(DIGITS).tolist()
        return {
            "label": outputs["label"].decode(),
            "probabilities": dict(zip(self.task["labels"], probabilities, strict=True)),
        } | truncated


class ChoicePredictor(FineTunedPredictor):
    """Tables with a context and several continuations, as SWAG's."""

    inputs = ("text", "choices")
    suffixes = (*TABLES, ".gz")
    table_endings = (*TABLES, ".txt")
    reads = "a table (.tsv, .csv, .jsonl) with columns such as ending0, ending1"
    # Examples with equally many choices share a batch.
    bucket = 1

    def split(self, source):
        if source.path is None:
            raise KerasuiteError(f"standard input has lines of text; give {self.reads}")
        return super().split(source)

    def is_structured(self, path):
        if not super().is_structured(path):
            self.refuse(path)
        return True

    def read(self, source):
        found: ChoiceExample = self.content(source)
        choices = np.array([choice.encode("utf-8", "replace") for choice in found.choices], object)
        return {"text": found.context, "choices": choices}

    def record(self, source, outputs):
        probabilities = np.asarray(outputs["probabilities"], np.float64).round(DIGITS).tolist()
        return {
            "choice": int(outputs["choice"]),
            "probabilities": probabilities,
            "truncated": bool(outputs["truncated"]),
        }
