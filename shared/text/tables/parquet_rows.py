"""Rows of Parquet files as text; pyarrow, which reads them, is an extra."""

import datetime
import json
from collections.abc import Iterator, Sequence
from typing import Any

from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.common.packages import require_package

_BATCH = 4096
_DATES = (datetime.date, datetime.time)


def parquet_columns(source: Source) -> list[str]:
    """Names of the columns of a file."""
    return list(_opened(source).schema_arrow.names)


def count_parquet_rows(source: Source) -> int:
    """Number of rows of a file, of which only its end is read."""
    return _opened(source).metadata.num_rows


def parquet_rows(source: Source, columns: Sequence[str]) -> Iterator[list[str]]:
    """The cells of each row as text.

    Args:
        source: the file.
        columns: names of its columns, in the order of the cells.

    Raises:
        KerasuiteError: if it is damaged, or pyarrow is not installed.
    """
    pyarrow = _pyarrow(source)
    try:
        for batch in _opened(source).iter_batches(_BATCH, columns=list(columns)):
            cells = [list(map(as_text, batch.column(name).to_pylist())) for name in columns]
            yield from map(list, zip(*cells, strict=True))
    except (pyarrow.ArrowException, OSError) as error:
        raise KerasuiteError(f"{source.name}: is damaged ({error}); write it again") from error


def as_text(value: Any) -> str:
    """A value as a CSV would have it; nothing for null.

    >>> as_text(True), as_text(1.5), as_text(datetime.datetime(2024, 5, 1, 12, 30)), as_text(None)
    ('true', '1.5', '2024-05-01 12:30:00', '')
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, _DATES):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False, default=str)


def _opened(source: Source):
    pyarrow = _pyarrow(source)
    parquet = require_package("pyarrow.parquet", source.name, _MEND)
    try:
        return parquet.ParquetFile(source.path)
    except (pyarrow.ArrowException, OSError) as error:
        raise KerasuiteError(f"{source.name}: is no Parquet file ({error}); check it") from error


def _pyarrow(source: Source):
    return require_package("pyarrow", source.name, _MEND)


_MEND = "`pip install pyarrow`, or save the table as CSV"
