"""Files of word pairs with human scores, laid out as WordSim-353, SimLex-999 or MEN."""

import math
import os
import re
from collections.abc import Sequence

from shared.common.errors import KerasuiteError
from shared.text.text_lines import read_lines

EXPECTED = "expected word<TAB>word<TAB>score"
# What separates the columns: the first of these that the rows have.
_SEPARATORS = ("\t", ",", ";", " ")
# SimLex-999 has its scores in a column of this name, others in the third.
_SCORE_NAMES = ("simlex999", "score", "similarity", "human (mean)", "mean")
# MEN's lemmas: "sun-n", "run-v", "bright-j", "fast-a".
_LEMMA = re.compile(r".+-[nvjar]")


def read_pairs(path: str | os.PathLike) -> list[tuple[str, str, float]]:
    """Reads (upper-case word, upper-case word, human score) of each line.

    Columns are parted by tabs, commas, semicolons or spaces. `#` and `//` begin a comment, and the
    first line may be titles, which tell the column of the scores; without a known title it is the
    third. MEN's marks of parts of speech are left out.

    Raises:
        KerasuiteError: if the file cannot be read, is empty, or a line is malformed.
    """
    rows = _rows(path)
    separator = next((s for s in _SEPARATORS if any(s in line for _, line in rows[:5])), "\t")
    cells = [(number, _split(line, separator)) for number, line in rows]
    column = 2
    if cells and (len(cells[0][1]) < 3 or _number(cells[0][1][2]) is None):
        column = _score_column(cells.pop(0)[1])
    width = len(cells[0][1]) if cells else 0
    pairs = []
    for number, fields in cells:
        score = _number(fields[column]) if len(fields) == width and column < width else None
        if score is None or not math.isfinite(score):
            raise KerasuiteError(f"{path}, row {number}: {EXPECTED}; correct or remove the row")
        pairs.append((fields[0].upper(), fields[1].upper(), score))
    if not pairs:
        raise KerasuiteError(f"{path}: holds no pairs; {EXPECTED} on every line")
    return _without_lemma_marks(pairs)


def _rows(path: str | os.PathLike) -> list[tuple[int, str]]:
    """Number and text of the lines that are neither blank nor comments."""
    lines = enumerate(read_lines(path).lines, 1)
    return [(n, line) for n, line in lines if line.strip() and not line.startswith(("#", "//"))]


def _split(line: str, separator: str) -> list[str]:
    fields = line.split() if separator == " " else line.split(separator)
    return [field.strip() for field in fields]


def _score_column(titles: Sequence[str]) -> int:
    small = [title.lower() for title in titles]
    return next((small.index(name) for name in _SCORE_NAMES if name in small), 2)


def _without_lemma_marks(pairs: list[tuple[str, str, float]]) -> list[tuple[str, str, float]]:
    if not all(_LEMMA.fullmatch(word.lower()) for pair in pairs for word in pair[:2]):
        return pairs
    return [(first[:-2], second[:-2], score) for first, second, score in pairs]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
