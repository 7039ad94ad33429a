"""Labelled examples, one plain class for each family of tasks.

`id` is the file and line of an example ("train.tsv:17"), or the name of a question. Labels are None
where a file has none, as for prediction.
"""

import dataclasses
from collections.abc import Sequence

from shared.text.tables import label_sets


@dataclasses.dataclass(frozen=True, slots=True)
class TextExample:
    """A sentence or a pair; the label is a class name, a number (regression) or several names."""

    text: str
    text_pair: str | None = None
    label: str | float | tuple[str, ...] | None = None
    id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ChoiceExample:
    """A context and its possible continuations; the label is the index of the right one."""

    context: str
    choices: tuple[str, ...]
    label: int | None = None
    id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class TaggedSentence:
    """Words with their tags; no tags where the file has none."""

    words: tuple[str, ...]
    tags: tuple[str, ...] = ()
    id: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class QuestionExample:
    """A question about a context.

    Attributes:
        answers: (text, start) of each right answer; `context[start:start + len(text)] == text`, or
            the start is None where the context does not have the text. Those come last: they are
            scored, but say nothing about a span.
        is_impossible: bool. Whether the context does not answer it (SQuAD 2.0).
        title: title of the article of the context.
    """

    id: str
    question: str
    context: str
    answers: tuple[tuple[str, int | None], ...] = ()
    is_impossible: bool = False
    title: str = ""

    @property
    def has_span(self) -> bool:
        """Whether it can be learnt: the place of an answer is known, or there is no answer."""
        return self.is_impossible or any(start is not None for _, start in self.answers)


Example = TextExample | ChoiceExample | TaggedSentence | QuestionExample

# Names of the task types.
CLASSIFICATION, PAIR, REGRESSION = "classification", "pair", "regression"
MULTILABEL = label_sets.MULTILABEL
CHOICE, TAGGING, QUESTIONS = "choice", "tagging", "question-answering"


@dataclasses.dataclass(frozen=True)
class Examples:
    """The examples of some files.

    Attributes:
        task_type: name of the task type, such as `CLASSIFICATION`.
        examples: in the order of the files.
        problems: problems, a line each with file and row. These rows are not in `examples`.
        notes: notes for the user, a line each: rows without a label, converted schemes.
        file_problems: problems of files as a whole, a line each, such as their encoding.
        separator: between several labels in a cell; "" where there is one label.
    """

    task_type: str
    examples: Sequence[Example]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    file_problems: tuple[str, ...] = ()
    separator: str = ""

    def __len__(self) -> int:
        return len(self.examples)
