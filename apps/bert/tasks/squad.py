"""Questions and answers in the JSON of SQuAD 1.1 and 2.0.

[Rajpurkar et al., 2016](https://arxiv.org/abs/1606.05250) and
[2018](https://arxiv.org/abs/1806.03822).
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apps.bert.tasks.examples import QUESTIONS, Examples, QuestionExample
from shared.common.errors import KerasuiteError, from_os_error
from shared.common.files import write_json


def read_squad(path: Path, labelled: bool = True) -> Examples:
    """Reads the questions of a SQuAD file, also of its .gz.

    Args:
        path: the file.
        labelled: bool. Whether each question needs an answer or `is_impossible`.

    Raises:
        KerasuiteError: if the file is no such JSON.
    """
    examples, problems, seen = [], [], set()
    for location, article, context, question in _questions(path):
        name = question.get("id")
        text = question.get("question")
        if not isinstance(text, str) or not isinstance(name, str | int):
            problems.append(f"{path}: {location}: no question or no id; check the file")
            continue
        answers, wrong = _answers(question, context)
        impossible = bool(question.get("is_impossible", False))
        if str(name) in seen:
            # Predictions and scores are by id.
            problems.append(f"{path}: question {name}: another question has this id; rename it")
            continue
        seen.add(str(name))
        if wrong:
            problems.append(f"{path}: question {name}: {wrong}")
        elif labelled and not answers and not impossible:
            problems.append(f"{path}: question {name}: no answer, and is_impossible is not true")
        else:
            answers = () if impossible else answers
            examples.append(QuestionExample(str(name), text, context, answers, impossible, article))
    if not examples:
        first = f"; {problems[0]}" if problems else ""
        raise KerasuiteError(f"{path}: no questions in it{first}; give a SQuAD file")
    return Examples(QUESTIONS, examples, tuple(problems))


def write_predictions(path: Path, answers: Mapping[str, Any]) -> None:
    """Writes the official `predictions.json`: answers by question id, "" for no answer."""
    write_json(path, dict(answers))


def _answers(question: dict, context: str) -> tuple[tuple[tuple[str, int], ...], str]:
    """The answers, and their problem or ""."""
    answers = []
    for answer in question.get("answers") or ():
        text, start = answer.get("text"), answer.get("answer_start")
        if not isinstance(text, str) or not isinstance(start, int) or not text:
            return (), "an answer without text or answer_start; mend it"
        found = context[start : start + len(text)] if start >= 0 else ""
        if found != text:
            return (), (
                f"the answer {_short(text)} is not at its offset {start}, there is "
                f"{_short(found)}; offsets count characters from 0"
            )
        answers.append((text, start))
    return tuple(answers), ""


def _questions(path: Path) -> Iterator[tuple[str, str, str, dict]]:
    """(location, title, context, question) of each question."""
    for article_number, article in enumerate(_list(path, _load(path), "data"), 1):
        title = str(article.get("title") or f"article {article_number}")
        for paragraph in _list(path, article, "paragraphs"):
            context = paragraph.get("context")
            if not isinstance(context, str):
                raise KerasuiteError(f"{path}: a paragraph of '{title}' has no context")
            for number, question in enumerate(_list(path, paragraph, "qas"), 1):
                yield f"'{title}', question {number} of a paragraph", title, context, question


def _list(path: Path, value: Any, name: str) -> list[dict]:
    items = value.get(name) if isinstance(value, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise KerasuiteError(
            f"{path}: no list '{name}' where SQuAD has one (data, paragraphs, qas); give a file "
            f"in SQuAD's JSON"
        )
    return items


def _load(path: Path) -> Any:
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        return json.loads(data)
    except OSError as error:
        if error.errno is None:
            raise KerasuiteError(f"{path}: is damaged ({error}); pack it again") from error
        raise from_os_error(error) from error
    except (EOFError, zlib.error) as error:
        raise KerasuiteError(f"{path}: is damaged ({error}); pack it again") from error
    except ValueError as error:
        raise KerasuiteError(f"{path}: no valid JSON ({error}); give a SQuAD file") from error


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
