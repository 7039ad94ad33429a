"""Columns of the text, its pair and the label in a table; GLUE's names are known."""

import dataclasses
import re
from collections.abc import Sequence

from apps.bert.tasks.headers import MAX_CLASSES
from apps.bert.tasks.tables import Table
from shared.common.errors import KerasuiteError
from shared.text.tables.cell_values import number_of

# In order of preference. MRPC: "#1 String"; QNLI: question, sentence.
PAIRS = (
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("text", "text_pair"),
    ("#1 string", "#2 string"),
    ("question", "sentence"),
    ("question", "passage"),
)
SINGLE = (
    "sentence", "text", "text_a", "review", "content", "document", "tweet", "comment",
    "comment_text", "question",
)  # fmt: skip
LABELS = (
    "gold_label",
    "label",
    "labels",
    "score",
    "similarity",
    "is_duplicate",
    "quality",
    "class",
    "category",
    "sentiment",
    "target",
)
NUMERIC = ("score", "similarity")
# SWAG: the choices are ends of a second sentence whose beginning is given.
CONTEXTS = ("sent1", "context", "startphrase", "premise", "question")
BEGINNINGS = ("sent2", "question")
_CHOICE = re.compile(r"(?:ending|choice|option)_?\d+")

KNOWN = {name for pair in PAIRS for name in pair} | {*SINGLE, *LABELS, *CONTEXTS, *BEGINNINGS}


@dataclasses.dataclass(frozen=True)
class Columns:
    """Names of columns; "" where there is none, or it is not known.

    In a file without a header, columns are numbered from 1.
    """

    text: str = ""
    pair: str = ""
    label: str = ""


@dataclasses.dataclass(frozen=True)
class ChoiceColumns:
    """Columns of a multiple-choice table; `beginning` is prepended to each choice, or ""."""

    context: str
    beginning: str
    choices: tuple[str, ...]
    label: str


def known_columns(named: Columns) -> set[str]:
    """Lower-case names by which a header is recognised."""
    given = {name.lower() for name in dataclasses.astuple(named) if name and not name.isdigit()}
    return KNOWN | given


def columns_if_there(table: Table, named: Columns) -> Columns:
    """The named columns of texts if a table has them, else none, so that they are searched for."""
    named = dataclasses.replace(named, label="")
    return named if {named.text, named.pair} - {""} <= {*table.columns} else Columns()


def find_columns(table: Table, named: Columns, mend: str = "Name it with --text-column") -> Columns:
    """The columns of a table of sentences or pairs.

    Args:
        table: the table.
        named: columns that must exist.
        mend: advice where the column of the text is not clear.

    Raises:
        KerasuiteError: if a named column does not exist, or the column of the text is not clear.
    """
    for option in dataclasses.fields(named):
        _check_named(table, option.name, getattr(named, option.name))
    by_name = table.has_header and not table.guessed_header
    guess = _by_name(table) if by_name else _by_content(table)
    if named.text and not named.pair:
        # A user who names only a text column wants no pair.
        guess = dataclasses.replace(guess, pair="")
    found = Columns(named.text or guess.text, named.pair or guess.pair, named.label or guess.label)
    if not found.text:
        raise KerasuiteError(
            f"{table.path}: which column holds the text? {mend}, one of: {', '.join(table.columns)}"
        )
    return found


def find_choice_columns(table: Table) -> ChoiceColumns | None:
    """The columns of a multiple-choice table such as SWAG, or None."""
    names = {name.lower(): name for name in table.columns}
    choices = tuple(name for small, name in names.items() if _CHOICE.fullmatch(small))
    if len(choices) < 2:
        return None
    context = _first(names, CONTEXTS)
    beginning = next((names[n] for n in BEGINNINGS if n in names and names[n] != context), "")
    return ChoiceColumns(context, beginning, choices, _first(names, LABELS))


def _check_named(table: Table, option: str, name: str) -> None:
    if name and name not in table.columns:
        raise KerasuiteError(
            f"{table.path}: no column '{name}' (--{option}-column); it has: "
            f"{', '.join(table.columns)}"
        )


def _by_name(table: Table) -> Columns:
    names = {name.lower(): name for name in table.columns}
    label = _first(names, LABELS)
    for text, pair in PAIRS:
        if text in names and pair in names:
            return Columns(names[text], names[pair], label)
    return Columns(_first(names, SINGLE), "", label)


def _by_content(table: Table) -> Columns:
    """Without known names: one column, CoLA's four, or a text and a class in either order."""
    names, values = table.columns, list(zip(*(row for _, row in table.rows), strict=True))
    if len(names) == 1:
        return Columns(names[0])
    # CoLA: source, 0 or 1, the linguists' mark, sentence.
    if len(names) == 4 and {*values[1]} <= {"0", "1"} and {*values[2]} <= {"", "*", "?", "??"}:
        return Columns(names[3], "", names[1])
    if len(names) != 2:
        return Columns()
    label = _label_of_two(values)
    return Columns() if label is None else Columns(names[1 - label], "", names[label])


def _label_of_two(values: Sequence[Sequence[str | None]]) -> int | None:
    """Which of two columns has few values, or numbers beside text; None if neither has."""
    distinct = [len(set(column)) for column in values]
    fewer = 0 if distinct[0] < distinct[1] else 1
    if distinct[fewer] <= min(MAX_CLASSES, max(1, len(values[0]) // 2)):
        return fewer
    numeric = [_are_measures(column) for column in values]
    return numeric.index(True) if sum(numeric) == 1 else None


def _are_measures(values: Sequence[str | None]) -> bool:
    """Whether values are numbers, not all of them whole as ids are."""
    numbers = [number_of(value or "", decimal_comma=True) for value in values]
    return None not in numbers and any(number != int(number) for number in numbers)


def _first(names: dict[str, str], wanted: Sequence[str]) -> str:
    return next((names[name] for name in wanted if name in names), "")
