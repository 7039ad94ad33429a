"""Columns of a table that an option names."""

from collections.abc import Sequence

from shared.common.config import did_you_mean
from shared.common.errors import KerasuiteError
from shared.text.tables.table_rows import shown_names


def named_columns(option: str, wanted: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that an option names.

    Args:
        option: such as "--target", for messages.
        wanted: one name, or several with commas between them.
        columns: names of the columns of the table.

    Raises:
        KerasuiteError: if there is no such column, or it is named twice.
    """
    if wanted in columns:
        return (wanted,)
    names = tuple(name.strip() for name in wanted.split(","))
    for name in names:
        if name not in columns:
            raise KerasuiteError(
                f"{option} {wanted}: the table has no column '{name}'"
                f"{did_you_mean(name, columns)}; it has {shown_names(columns)}"
            )
    if len(set(names)) < len(names):
        raise KerasuiteError(f"{option} {wanted}: names a column twice; name each once")
    return names
