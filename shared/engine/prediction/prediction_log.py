"""The logs of batch inference: whole lines only, in one order, read back to resume.

Every source ends as one line of `predictions.jsonl` (or `.csv`) or of `errors.jsonl`. Lines are
appended in the order of the sources, across both files, so that after a kill the finished
sources are exactly a beginning of that order.
"""

import csv
import dataclasses
import heapq
import io
import json
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from shared.common.errors import KerasuiteError, from_os_error
from shared.common.files import plain
from shared.common.inputs import Source

try:
    import fcntl
except ImportError:  # Windows: two runs in one folder are not noticed there.
    fcntl = None


# A cell may hold a whole document; Python's default stops at 128 KiB.
csv.field_size_limit(2**31 - 1)


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a log: its fields and the byte where it begins."""

    row: dict[str, Any]
    start: int

    @property
    def key(self) -> tuple[str, int | None]:
        line = self.row.get("line")
        return self.row["file"], None if line is None else int(line)


class AppendLog:
    """An append-only file that never ends in half a line, whatever fails.

    Args:
        path: the file; created at the first line unless it exists.
    """

    suffix = ".jsonl"

    def __init__(self, path: Path):
        self.path = path
        self._file: io.FileIO | None = None
        self._pending = bytearray()
        self._size = 0

    def recover(self) -> None:
        """Takes up what an earlier run left: cuts a torn last line."""
        if self.path.exists():
            self._cut_torn_line()

    def __len__(self) -> int:
        """Bytes written and pending."""
        return self._size + len(self._pending)

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row to what `flush` writes."""
        self._pending += self.encode(row)

    def flush(self) -> None:
        """Hands the pending rows to the operating system.

        Raises:
            KerasuiteError: if they cannot be written; the file then ends as before.
        """
        try:
            while self._pending:
                written = self.create().write(self._pending)
                self._size += written
                del self._pending[:written]
        except OSError as error:
            error.filename = error.filename or str(self.path)
            self._pending.clear()
            if self._file is not None:
                self._cut_torn_line()
            raise from_os_error(error) from error

    def create(self) -> io.FileIO:
        """Opens the file for appending, and makes it if it is missing."""
        if self._file is None:
            try:
                self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115
            except OSError as error:
                raise from_os_error(error) from error
        return self._file

    def lock(self) -> None:
        """Keeps a second run away from this log.

        Raises:
            KerasuiteError: if another process has it.
        """
        file = self.create()
        if fcntl is None:
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise KerasuiteError(
                f"{self.path} is being written by another run; wait for it or choose another "
                "--output"
            ) from None
        except OSError:
            return  # A file system without locks.

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def lines(self, start: int = 0) -> Iterator[Line]:
        """Reads the whole lines from byte `start` on."""
        if not self.path.exists():
            return
        for number, (begin, data) in enumerate(self._raw_lines(start), 1):
            try:
                row = self.decode(data)
            except (ValueError, KeyError):
                row = None
            if not isinstance(row, dict) or "file" not in row:
                raise KerasuiteError(
                    f"{self.path}: line {number} is not one of its results; choose another --output"
                )
            yield Line(row, begin)

    def encode(self, row: dict[str, Any]) -> bytes:
        return to_json(row).encode() + b"\n"

    def decode(self, data: bytes) -> dict[str, Any]:
        return json.loads(data)

    def _whole(self, data: bytes) -> bool:
        return data.endswith(b"\n")

    def _raw_lines(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yields (first byte, line) for the whole lines."""
        with open(self.path, "rb") as file:
            file.seek(start)
            data = b""
            for piece in file:
                data += piece
                if self._whole(data):
                    yield start, data
                    start += len(data)
                    data = b""

    def _cut_torn_line(self) -> None:
        self._size = 0
        for start, data in self._raw_lines():
            self._size = start + len(data)
        try:
            os.truncate(self.path, self._size)
        except OSError as error:
            raise from_os_error(error) from error


class CsvLog(AppendLog):
    """The same as CSV. The first row makes the header; lists and dicts are JSON in a cell."""

    suffix = ".csv"

    def __init__(self, path: Path):
        super().__init__(path)
        self._header: list[str] | None = None

    def recover(self) -> None:
        super().recover()
        if self._size:
            self._header = self._cells(next(self._raw_lines())[1])

    def encode(self, row: dict[str, Any]) -> bytes:
        text = ""
        if self._header is None:
            self._header = list(row)
            text = ",".join(map(_cell, self._header)) + "\n"
        if set(self._header) != set(row):
            raise ValueError(f"CSV rows need the same columns: {self._header}, then {list(row)}")
        text += ",".join(_cell(row[name]) for name in self._header) + "\n"
        return text.encode("utf-8", "surrogateescape")

    def decode(self, data: bytes) -> dict[str, Any]:
        return dict(zip(self._header, self._cells(data), strict=True))

    def lines(self, start: int = 0) -> Iterator[Line]:
        if self._header is None:
            return iter(())
        return super().lines(start or len(next(self._raw_lines())[1]))

    def _cells(self, data: bytes) -> list[str]:
        return next(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))

    def _whole(self, data: bytes) -> bool:
        # A line end inside quotes belongs to the cell; quotes inside a cell are doubled.
        return data.endswith(b"\n") and data.count(b'"') % 2 == 0


def to_json(value: Any) -> str:
    """One line of valid JSON: not-a-number becomes null, undecodable file names are escaped."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=plain)
        text.encode()
        return text
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, default=plain)
    except ValueError:
        return to_json(_finite(json.loads(json.dumps(value, default=plain))))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def listed(value: Any) -> Any:
    """A list of a row: in CSV output it is JSON text."""
    return json.loads(value) if isinstance(value, str) else value


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        value = plain(value)
    text = value if isinstance(value, str) else "" if value is None else to_json(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


class PredictionLogs:
    """Predictions and errors of one run (or one shard), kept in one common order.

    Args:
        folder: the output folder.
        format: "jsonl" or "csv", for the predictions; errors are always JSON lines.
        ending: str. What follows the names of the files, "" or "-2-of-4".
    """

    def __init__(self, folder: Path, format: str = "jsonl", ending: str = ""):
        self.folder, self.format = folder, format
        kind = CsvLog if format == "csv" else AppendLog
        self.predictions = kind(folder / f"predictions{ending}{kind.suffix}")
        self.errors = AppendLog(folder / f"errors{ending}.jsonl")

    def open(self) -> None:
        """Locks the predictions file and takes up what an earlier run left."""
        self.predictions.lock()
        self.predictions.recover()
        self.errors.recover()
        if not len(self.errors):
            self.errors.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Closes both files."""
        self.predictions.close()
        self.errors.close()

    def accept(self, source: Source, record: dict[str, Any]) -> None:
        """Adds the record of one source."""
        if record.keys() & _identity(source).keys():
            raise ValueError(f"a record may not hold the keys {list(_identity(source))}")
        self._append(self.predictions, self.errors, _identity(source) | record)

    def reject(self, source: Source, message: str) -> None:
        """Adds what is wrong with one source."""
        self._append(self.errors, self.predictions, _identity(source) | {"error": message})

    def flush(self) -> None:
        """Writes everything that is pending; at most one of the two logs has anything."""
        self.predictions.flush()
        self.errors.flush()

    def position(self) -> tuple[int, int]:
        """The ends of both logs, for `rows`."""
        return len(self.predictions), len(self.errors)

    def rows(self, start: tuple[int, int]) -> Iterable[dict[str, Any]]:
        """The rows from a position on, merged by "line"; can be iterated again and again."""
        return _MergedRows(self, start)

    def _append(self, log: AppendLog, other: AppendLog, row: dict[str, Any]) -> None:
        other.flush()
        log.append(row)


class _MergedRows(Iterable[dict[str, Any]]):
    def __init__(self, logs: PredictionLogs, start: tuple[int, int]):
        self._logs, self._start = logs, start

    def __iter__(self) -> Iterator[dict[str, Any]]:
        streams = (
            self._logs.predictions.lines(self._start[0]),
            self._logs.errors.lines(self._start[1]),
        )
        # An error of the whole file, which has no number, came last.
        for line in heapq.merge(*streams, key=lambda line: line.key[1] or math.inf):
            number = {} if line.key[1] is None else {"line": line.key[1]}
            yield line.row | number


def _identity(source: Source) -> dict[str, Any]:
    return {"file": source.name} | ({} if source.line is None else {"line": source.line})


class FinishedSources:
    """Walks the logs of an earlier run beside the sources, in constant memory.

    Attributes:
        done, rejected: how many were found so far.
        start: position in the logs where the current file's rows begin.
    """

    def __init__(self, logs: PredictionLogs):
        self._logs = logs
        self._heads: list[Line | None] = []
        self._streams = [logs.predictions.lines(), logs.errors.lines()]
        self._heads = [next(stream, None) for stream in self._streams]
        self._counts = [0, 0]
        self._file: str | None = None
        self.start = logs.position()

    @property
    def done(self) -> int:
        return self._counts[0]

    @property
    def rejected(self) -> int:
        return self._counts[1]

    def has(self, source: Source) -> bool:
        """Whether the next row of a log is that of `source`; then goes on to the row after."""
        for index, head in enumerate(self._heads):
            if head is not None and head.key == source.key:
                self._remember_start(source)
                self._heads[index] = next(self._streams[index], None)
                self._counts[index] += 1
                return True
        return False

    def require_end(self) -> None:
        """To be called at the first source that is not done.

        Raises:
            KerasuiteError: if rows are left over: then the inputs are not those of before.
        """
        for head in self._heads:
            if head is not None:
                raise KerasuiteError(
                    f"cannot resume {self._logs.folder}: the inputs changed "
                    f"(not found in its place: {head.row['file']}); give the same inputs or "
                    "another --output"
                )

    def _remember_start(self, source: Source) -> None:
        if source.name != self._file:
            self._file = source.name
            ends = self._logs.position()
            heads = zip(self._heads, ends, strict=True)
            self.start = tuple(end if head is None else head.start for head, end in heads)
