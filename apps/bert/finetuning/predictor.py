"""Batch inference of a fine-tuned model: tables, lines of text, CoNLL and SQuAD files."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from apps.bert.finetuning.serving import TASK
from apps.bert.tasks.conll import conll_lines, read_conll
from apps.bert.tasks.examples import ChoiceExample, Examples, TaggedSentence, TextExample
from apps.bert.tasks.squad import read_squad
from apps.bert.tasks.tables import is_table
from apps.bert.tasks.text_tables import read_text_table
from shared.engine.errors import KerasuiteError
from shared.engine.export import EXTRA
from shared.engine.inputs import Source
from shared.engine.prediction_log import listed
from shared.text.line_files import clean_line, file_pieces, raw_line, read_line
from shared.text.line_predictor import LinePredictor

LINES = (".txt", ".text", ".md")
TABLES = (".tsv", ".tab", ".csv", ".jsonl", ".ndjson")
CONLL = (".conll", ".testa", ".testb", ".train")
DIGITS = 6


def predictor_for(saved_model: Path) -> "FineTunedPredictor":
    """The predictor of an exported model."""
    task = json.loads((Path(saved_model) / EXTRA / TASK).read_text(encoding="utf-8"))
    kinds: dict[str, Callable[[dict], FineTunedPredictor]] = {
        "classification": TextPredictor,
        "pair": TextPredictor,
        "regression": TextPredictor,
        "choice": ChoicePredictor,
        "tagging": TaggingPredictor,
        "question-answering": QuestionPredictor,
    }
    return kinds[task["kind"]](task)


class FineTunedPredictor(LinePredictor):
    """What all kinds share: files become rows, each a source of its own.

    Args:
        task: what `task.json` of the SavedModel says: "kind", "labels", "paired".
    """

    unit = "text"
    suffixes = (*LINES, *TABLES, ".gz")

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
        """Whether a file is more than lines of text."""
        return is_table(path) and not path.name.lower().removesuffix(".gz").endswith(LINES)

    def examples(self, path: Path) -> Examples:
        """What a structured file holds."""
        kind = "choice" if self.task["kind"] == "choice" else "classification"
        return read_text_table(path, kind=kind, labelled=False)

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
    # Examples with equally many choices share a batch.
    bucket = 1

    def read(self, source):
        found = self.content(source)
        if not isinstance(found, ChoiceExample):
            raise KerasuiteError("is no table with choices; give columns such as ending0, ending1")
        choices = np.array([choice.encode("utf-8", "replace") for choice in found.choices], object)
        return {"text": found.context, "choices": choices}

    def record(self, source, outputs):
        probabilities = np.asarray(outputs["probabilities"], np.float64).round(DIGITS).tolist()
        return {
            "choice": int(outputs["choice"]),
            "probabilities": probabilities,
            "truncated": bool(outputs["truncated"]),
        }


class TaggingPredictor(FineTunedPredictor):
    """Lines of text to spans; CoNLL files to the same files with a column of tags."""

    inputs = ("text",)
    suffixes = (*LINES, *CONLL, ".gz")

    def is_structured(self, path):
        return path.name.lower().removesuffix(".gz").endswith(CONLL)

    def examples(self, path):
        return read_conll(path, labelled=False)

    def read(self, source):
        found = self.content(source)
        if isinstance(found, TaggedSentence):
            return {"text": " ".join(found.words)}
        return {"text": found}

    def record(self, source, outputs):
        count = int(outputs["num_spans"])
        spans = [
            {
                "label": outputs["span_label"][n].decode(),
                "start": int(outputs["span_start"][n]),
                "end": int(outputs["span_end"][n]),
                "text": outputs["span_text"][n].decode(),
                "score": round(float(outputs["span_score"][n]), DIGITS),
            }
            for n in range(count)
        ]
        found = {"spans": spans, "truncated": bool(outputs["truncated"])}
        if isinstance(source.content, TaggedSentence):
            return {"words": list(source.content.words)} | found
        return found

    def finish(self, source, rows: Iterable[dict[str, Any]]):
        if source.path is None or not self.is_structured(source.path):
            return {}
        return {f"tagged/{source.name}": file_pieces(source.name, _tagged(rows))}


def _tagged(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The lines of a CoNLL file: word and tag."""
    for row in rows:
        if "spans" in row:
            words = listed(row["words"])
            tags = word_tags(words, listed(row["spans"]))
            yield from conll_lines([(words, tags)])


def word_tags(words: list[str], spans: list[dict[str, Any]]) -> list[str]:
    """IOB2 tags of words, from spans of the words joined by spaces.

    >>> word_tags(["Anna", "Lee", "left"], [{"label": "PER", "start": 0, "end": 8}])
    ['B-PER', 'I-PER', 'O']
    """
    tags, start, last = [], 0, None
    for word in words:
        span = next((s for s in spans if s["start"] <= start < s["end"]), None)
        number = None if span is None else span["start"]
        prefix = "I" if number is not None and number == last else "B"
        tags.append("O" if span is None else f"{prefix}-{span['label']}")
        last, start = number, start + len(word) + 1
    return tags


class QuestionPredictor(FineTunedPredictor):
    """SQuAD files to answers and the official `predictions.json`."""

    inputs = ("question", "context")
    suffixes = (".json", ".json.gz")
    unit = "question"

    def is_structured(self, path):
        return True

    def examples(self, path):
        return read_squad(path, labelled=False)

    def split(self, source):
        if source.path is None:
            raise KerasuiteError("questions cannot be read from standard input; name a SQuAD file")
        found = self.examples(source.path)
        contents = [*found.examples, *(problem.partition(": ")[2] for problem in found.problems)]
        for number, content in enumerate(contents, 1):
            yield dataclasses.replace(source, line=number, content=content)

    def read(self, source):
        found = self.content(source)
        return {"question": found.question, "context": found.context}

    def record(self, source, outputs):
        return {
            "id": source.content.id,
            "answer": outputs["answer"].decode(),
            "start": int(outputs["start"]),
            "end": int(outputs["end"]),
            "score": round(float(outputs["score"]), DIGITS),
        }

    def summary(self, rows: Iterable[dict[str, Any]]):
        answers = {row["id"]: row["answer"] for row in rows if "answer" in row}
        text = json.dumps(answers, ensure_ascii=False, indent=1)
        return {"predictions.json": [f"{text}\n".encode()]}
