"""The two columns of a TSV that hold the sentences, and its header."""

import dataclasses
import re
from collections.abc import Sequence

from shared.text.language_codes import is_language, main_language

HEADERS = (
    ("source", "target"), ("src", "tgt"), ("src", "trg"), ("source_text", "target_text"),
)  # fmt: skip
# Rows that are looked at, and the share of them that makes a column one of numbers or ids.
_SNIFFED_ROWS, _MOST = 1000, 0.95
_MIN_CONSTANT = 10
# Numbers, scores and identifiers: "17", "1.139", "ted-2013/4", "#5".
_NO_SENTENCE = re.compile(r"[A-Za-z_.:/#+-]*\d[\w.:/#+-]*", re.ASCII)


@dataclasses.dataclass(frozen=True)
class PairColumns:
    """The columns of the sentences, counted from 0.

    Attributes:
        source, target: the columns.
        has_header: bool. Whether the first row is none of the pairs.
        notes: what was recognised.
    """

    source: int
    target: int
    has_header: bool
    notes: tuple[str, ...]


def find_pair_columns(rows: Sequence[Sequence[str]]) -> PairColumns:
    """The first two columns that hold neither numbers, identifiers nor always the same.

    Tatoeba's files have ids in front of both sentences, WikiMatrix's a score in front of them.

    Args:
        rows: cells of each row.
    """
    below = rows[1 : _SNIFFED_ROWS + 1]
    width = min(map(len, below), default=len(rows[0]))
    without = [n for n in range(width) if _has_no_sentences([row[n] for row in below])]
    left = [n for n in range(width) if n not in without]
    # Of two columns both are needed, whatever is in them.
    source, target = left[:2] if width > 2 and len(left) > 1 else (0, 1)
    has_header, notes = _is_header(rows, source, target, without), []
    if has_header and _pair(rows[0], source, target) not in HEADERS:
        names = ", ".join(cell.strip() for cell in rows[0])
        notes.append(f"the first row ({names}) is taken for a header and passed over")
    if (source, target) != (0, 1):
        others = ", ".join(str(n + 1) for n in without if n < target)
        notes.append(
            f"columns {source + 1} and {target + 1} are read as sentences; numbers, ids or always "
            f"the same are in column {others}"
        )
    return PairColumns(source, target, has_header, tuple(notes))


def _pair(row: Sequence[str], source: int, target: int) -> tuple[str, ...]:
    return tuple(row[column].strip().lower() for column in (source, target) if column < len(row))


def _has_no_sentences(cells: Sequence[str]) -> bool:
    if len(cells) >= _MIN_CONSTANT and len(set(cells)) == 1:
        return True
    return sum(bool(_NO_SENTENCE.fullmatch(cell.strip())) for cell in cells) > _MOST * len(cells)


def _is_header(
    rows: Sequence[Sequence[str]], source: int, target: int, without: Sequence[int]
) -> bool:
    """Known names, codes of two languages above sentences, or a name above numbers."""
    first = _pair(rows[0], source, target)
    if first in HEADERS:
        return True
    if len(rows) < 2 or len(first) < 2:
        return False
    if all(map(is_language, first)) and main_language(first[0]) != main_language(first[1]):
        # A list of words may begin with words like codes: "is", "ist".
        below = [row[source] for row in rows[1:_SNIFFED_ROWS] if source < len(row)]
        return sum(" " in text.strip() or not text.isascii() for text in below) > len(below) / 2
    return any(_is_name(rows[0], n) and _is_numeric(rows[1:_SNIFFED_ROWS], n) for n in without)


def _is_name(row: Sequence[str], column: int) -> bool:
    return column < len(row) and bool(re.fullmatch(r"[A-Za-z_ ]+", row[column].strip()))


def _is_numeric(rows: Sequence[Sequence[str]], column: int) -> bool:
    return all(re.fullmatch(r"[-+\d.e]+", row[column].strip()) for row in rows if column < len(row))
