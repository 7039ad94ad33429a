"""What files of labelled text are read to: one plain class for each family of tasks.

`id` says where an example stands ("train.tsv:17"), except for questions, which have names.
Labels are None where a file has none, as for prediction.
"""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class TextExample:
    """A sentence or a pair of sentences; the label is a class name, or a number (regression)."""

    text: str
    text_pair: str | None = None
    label: str | float | None = None
    id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ChoiceExample:
    """A context and what may follow it; the label counts the choices from 0."""

    context: str
    choices: tuple[str, ...]
    label: int | None = None
    id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class TaggedSentence:
    """Words with a tag each; no tags where the file has none."""

    words: tuple[str, ...]
    tags: tuple[str, ...] = ()
    id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class QuestionExample:
    """A question about a context.

    Attributes:
        answers: (text, start) of each right answer; `context[start:start + len(text)] == text`.
        is_impossible: bool. Whether the context does not answer it (SQuAD 2.0).
        title: of the article that the context is from.
    """

    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int], ...] = ()
    is_impossible: bool = False
    title: str = ""


Example = TextExample | ChoiceExample | TaggedSentence | QuestionExample

CLASSIFICATION, PAIR, REGRESSION = "classification", "pair", "regression"
CHOICE, TAGGING, QUESTIONS = "choice", "tagging", "question-answering"
KINDS = (CLASSIFICATION, PAIR, REGRESSION, CHOICE, TAGGING, QUESTIONS)


@dataclasses.dataclass(frozen=True)
class Examples:
    """The examples of some files.

    Attributes:
        kind: one of `KINDS`.
        examples: in the order of the files.
        problems: what is wrong, a line each with file and row. These rows are not in `examples`.
        notes: what the user should know, a line each: rows without a label, converted schemes.
    """

    kind: str
    examples: Sequence[Example]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)
