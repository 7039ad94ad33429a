"""Values of label columns: missing ones, and numbers."""

import math
import re
from collections.abc import Sequence

# No agreement of the annotators (SNLI, MNLI), and missing values as pandas writes and reads them.
MISSING = frozenset(
    ("", "-", "nan", "NaN", "-nan", "-NaN", "None", "null", "NULL", "NA", "N/A", "n/a", "<NA>",
     "#N/A", "#NA")
)  # fmt: skip
# The label of GLUE's test files, and of SNLI's rows without agreement.
UNKNOWN_CLASS = "-1"
_RARE = 0.02
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")


def missing_values(values: Sequence[str]) -> frozenset[str]:
    """The values of a column that stand for a missing label.

    -1 is one where there is nothing else, and where it is rare beside the classes 0, 1, ...; a
    class -1 of its own, as in -1, 0, 1, is frequent.
    """
    present = [value for value in values if value not in MISSING]
    unknown = [value for value in present if number_of(value) == -1]
    others = {value for value in present if number_of(value) != -1}
    if not unknown:
        return MISSING
    numbered = {"0", "1"} <= others and all(value.isdigit() for value in others)
    if not others or (numbered and len(unknown) < _RARE * len(present)):
        return MISSING | {*unknown}
    return MISSING


def number_of(text: str, decimal_comma: bool = False) -> float | None:
    """The finite number that a text is, or None."""
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def has_decimal_commas(values: Sequence[str]) -> bool:
    """Whether the numbers of a column are written like 3,5.

    "1,234" may be either; a column with points, or with such numbers only, has no decimal commas.
    """
    with_comma = [value for value in values if _DECIMAL_COMMA.fullmatch(value)]
    with_point = any("." in value and number_of(value) is not None for value in values)
    return not with_point and any(not _THOUSANDS.fullmatch(value) for value in with_comma)
