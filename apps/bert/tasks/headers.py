"""Headers of unknown names, recognised by the rows below them."""

import re
from collections import Counter
from collections.abc import Sequence

from shared.text.tables.cell_values import number_of

# Number of distinct values that a class column may have in a table without a header.
MAX_CLASSES = 20
_MIN_ROWS = 4
# A name such as "v1", "Message", "sentence 1" or "is_spam?": three words at most, no sentence.
_NAME = re.compile(r"[\w#-]+([ ./_-][\w#()-]+){0,2}\??")


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row of a table names its columns, though with unknown names.

    All its cells look like names, and in the column of the labels (few values that occur often, or
    numbers) its cell is like none of the others.

    >>> looks_like_header([("v1", "v2"), *[("ham", "see you"), ("spam", "buy it now")] * 2])
    True
    >>> looks_like_header([("good", "fine"), *[("bad", "dull"), ("good", "great fun")] * 2])
    False
    """
    first = [cell.strip() for cell in rows[0]] if rows else []
    others = [row for row in rows[1:] if len(row) == len(first)]
    if len(first) < 2 or len(others) < _MIN_ROWS or len({*first}) < len(first):
        return False
    if not all(_NAME.fullmatch(cell) and number_of(cell) is None for cell in first):
        return False
    columns = [[row[index].strip() for row in others] for index in range(len(first))]
    if any(cell in column for cell, column in zip(first, columns, strict=True)):
        return False
    return any(map(_is_label_column, columns)) and any(map(_tells_header, columns))


def _is_label_column(values: Sequence[str]) -> bool:
    counts = Counter(values)
    if len(counts) <= min(MAX_CLASSES, len(values) // 2):
        return True
    return sum(number_of(value) is not None for value in values) > 0.8 * len(values)


def _tells_header(values: Sequence[str]) -> bool:
    """Whether most values have several words, or each occurs ten times: a name is none of them."""
    texts = sum(" " in value for value in values)
    return texts > len(values) / 2 or 10 * len(set(values)) <= len(values)
