"""Validation examples saved in the run folder, so that a finished run needs no data."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from apps.bert.tasks.examples import (
    CHOICE,
    CLASSIFICATION,
    MULTILABEL,
    PAIR,
    QUESTIONS,
    REGRESSION,
    TAGGING,
    ChoiceExample,
    Example,
    QuestionExample,
    TaggedSentence,
    TextExample,
)
from shared.common.files import write_text

_CLASSES = {
    CLASSIFICATION: TextExample,
    PAIR: TextExample,
    MULTILABEL: TextExample,
    REGRESSION: TextExample,
    CHOICE: ChoiceExample,
    TAGGING: TaggedSentence,
    QUESTIONS: QuestionExample,
}


def save_examples(examples: Sequence[Example], path: Path) -> None:
    """Writes examples as JSON lines atomically."""
    rows = (json.dumps(dataclasses.asdict(example), ensure_ascii=False) for example in examples)
    write_text(path, "".join(f"{row}\n" for row in rows))


def load_examples(task_type: str, path: Path) -> list[Example]:
    """Reads what `save_examples` wrote."""
    with open(path, encoding="utf-8") as file:
        return [_CLASSES[task_type](**_tuples(json.loads(line))) for line in file]


def _tuples(values: dict) -> dict:
    return {name: _tuple(value) for name, value in values.items()}


def _tuple(value):
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value
