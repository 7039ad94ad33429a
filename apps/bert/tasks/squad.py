"""Questions and answers in the JSON of SQuAD 1.1 and 2.0, nested or with a question a row.

[Rajpurkar et al., 2016](https://arxiv.org/abs/1606.05250) and
[2018](https://arxiv.org/abs/1806.03822).
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from apps.bert.tasks.examples import QUESTIONS, Examples, QuestionExample
from shared.common.errors import KerasuiteError
from shared.common.files import write_json
from shared.text.tables.formats import JSON, table_suffix
from shared.text.tables.json_rows import parse_document, read_objects, rows_of
from shared.text.text_lines import read_lines


def has_questions(path: Path) -> bool:
    """Whether a file holds questions with their answers, or JSON that is no table.

    Raises:
        KerasuiteError: if a JSON file cannot be read.
    """
    if table_suffix(path) not in JSON:
        return False
    lines = read_lines(path).lines
    if table_suffix(path) == ".json":
        document = parse_document(path, lines)
        if document is not None and rows_of(document) is None:
            return True
    objects, _ = read_objects(path, lines)
    return bool(objects) and _is_flat(objects[0][1])


def _is_flat(row: dict[str, Any]) -> bool:
    """Whether a row is a question as Hugging Face's `datasets` writes SQuAD."""
    return {"question", "context"} <= row.keys() and bool({"answers", "answers.text"} & row.keys())


def read_squad(path: Path, labelled: bool = True) -> Examples:
    """Reads the questions of a SQuAD file, also of its .gz.

    Nested as SQuAD's own, or rows with `id`, `title`, `context`, `question` and `answers` of
    `text` and `answer_start`, which is how Hugging Face's `datasets` writes it: JSON lines, a list,
    or a list in "data". There a question without an answer has an empty list of them.

    Args:
        path: the file.
        labelled: bool. Whether each question needs an answer or `is_impossible`.

    Answers are kept by their text, as the official script scores them; the notes count those whose
    offset does not fit it.

    Raises:
        KerasuiteError: if the file is no such JSON.
    """
    examples, problems, seen, offsets = [], [], set(), _Offsets(path)
    for location, article, context, question in _questions(path, problems):
        name = question.get("id")
        text = question.get("question")
        if not isinstance(text, str) or not isinstance(name, str | int):
            problems.append(f"{path}: {location}: no question or no id; check the file")
            continue
        if str(name) in seen:
            # Predictions and scores are by id.
            problems.append(f"{path}: question {name}: another question has this id; rename it")
            continue
        seen.add(str(name))
        given = _given_answers(question)
        if given is None:
            problems.append(
                f"{path}: question {name}: its answers are no list of objects with 'text' and "
                f"'answer_start'; mend them"
            )
            continue
        impossible = bool(question.get("is_impossible", False))
        answers = () if impossible else _answers(f"question {name}", given, context, offsets)
        if labelled and not answers and not impossible:
            problems.append(f"{path}: question {name}: no answer, and is_impossible is not true")
        else:
            examples.append(QuestionExample(str(name), text, context, answers, impossible, article))
            offsets.unplaced += bool(answers) and not examples[-1].has_span
    if not examples:
        first = f"; {problems[0]}" if problems else ""
        raise KerasuiteError(f"{path}: no questions in it{first}; give a SQuAD file")
    return Examples(QUESTIONS, examples, tuple(problems), offsets.notes())


def write_predictions(path: Path, answers: Mapping[str, Any]) -> None:
    """Writes the official `predictions.json`: answers by question id, "" for no answer."""
    write_json(path, dict(answers))


@dataclasses.dataclass
class _Offsets:
    """Answers of a file that are not where the file says, as "question q1: 'Rome'".

    Attributes:
        path: the file.
        moved: their text stands elsewhere in the context.
        missing: their text is nowhere in the context.
        empty: they have no text.
        unplaced: int. Questions all of whose answers are missing.
    """

    path: Path
    moved: list[str] = dataclasses.field(default_factory=list)
    missing: list[str] = dataclasses.field(default_factory=list)
    empty: list[str] = dataclasses.field(default_factory=list)
    unplaced: int = 0

    def notes(self) -> tuple[str, ...]:
        kinds = (
            (self.moved, "not at their offset were moved to the nearest place of their text"),
            (self.missing, "not in their context; they are scored, not trained on"),
            (self.empty, "without a text are left out"),
        )
        notes = [
            f"{self.path}: {len(found):,} answers {kind}; the first: {found[0]}"
            for found, kind in kinds
            if found
        ]
        if self.unplaced:
            notes.append(
                f"{self.path}: {self.unplaced:,} questions have no answer that is in their "
                f"context; they are scored, not trained on"
            )
        return tuple(notes)


def _answers(
    name: str, given: list[dict], context: str, offsets: _Offsets
) -> tuple[tuple[str, int | None], ...]:
    """The answers of a question: those at their offset first, those without a place last.

    Args:
        name: of the question, for the notes.
        given: the answers, each with "text" and "answer_start".
        context: the context.
        offsets: takes the answers that are not at their offset.
    """
    exact, moved, missing = [], [], []
    for answer in given:
        text, start = answer.get("text"), answer.get("answer_start")
        if not isinstance(text, str) or not text:
            offsets.empty.append(name)
            continue
        place = _nearest(text, start if isinstance(start, int) else 0, context)
        if place is None:
            missing.append((text, None))
            offsets.missing.append(f"{name}: {_short(text)}")
        elif place == start:
            exact.append((text, place))
        else:
            moved.append((text, place))
            offsets.moved.append(f"{name}: {_short(text)} from {start} to {place}")
    return (*exact, *moved, *missing)


def _nearest(text: str, start: int, context: str) -> int | None:
    """The place of a text in a context that is nearest to an offset; None where it has none."""
    if context.startswith(text, max(start, 0)) and start >= 0:
        return start
    places = (match.start() for match in re.finditer(f"(?={re.escape(text)})", context))
    return min(places, key=lambda place: abs(place - start), default=None)


def _given_answers(question: dict) -> list[dict] | None:
    """The answers of a question, or None where they are nothing of the kind."""
    given = question.get("answers") or []
    if isinstance(given, dict):
        given = _zipped(given.get("text"), given.get("answer_start"))
    if not isinstance(given, list) or not all(isinstance(answer, dict) for answer in given):
        return None
    return given


def _zipped(texts: Any, starts: Any) -> list[dict] | None:
    """The answers of two lists of equal length."""
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        return None
    return [{"text": t, "answer_start": s} for t, s in zip(texts, starts, strict=True)]


def _questions(path: Path, problems: list[str]) -> Iterator[tuple[str, str, str, dict]]:
    """(location, title, context, question) of each question; adds the problems of rows."""
    lines = read_lines(path).lines
    document = parse_document(path, lines)
    if document is None or rows_of(document) is not None:
        yield from _of_rows(path, lines, problems)
        return
    for article_number, article in enumerate(_list(path, document, "data"), 1):
        title = str(article.get("title") or f"article {article_number}")
        for paragraph in _list(path, article, "paragraphs"):
            context = paragraph.get("context")
            if not isinstance(context, str):
                raise KerasuiteError(f"{path}: a paragraph of '{title}' has no context")
            for number, question in enumerate(_list(path, paragraph, "qas"), 1):
                yield f"'{title}', question {number} of a paragraph", title, context, question


def _of_rows(
    path: Path, lines: Sequence[str], problems: list[str]
) -> Iterator[tuple[str, str, str, dict]]:
    objects, found = read_objects(path, lines)
    problems += found
    for number, row in objects:
        context = row.get("context")
        if not isinstance(context, str):
            problems.append(f"{path}: row {number}: no context; check the file")
            continue
        row = {"id": f"row {number}"} | row
        if "answers.text" in row:
            row["answers"] = {
                "text": row["answers.text"],
                "answer_start": row.get("answers.answer_start"),
            }
        if "answers" in row and _given_answers(row) == []:
            row = {"is_impossible": True} | row
        yield f"row {number}", str(row.get("title") or context), context, row


def _list(path: Path, value: Any, name: str) -> list[dict]:
    items = value.get(name) if isinstance(value, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise KerasuiteError(
            f"{path}: no list '{name}' where SQuAD has one (data, paragraphs, qas); give a file "
            f"in SQuAD's JSON"
        )
    return items


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
