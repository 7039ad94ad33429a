"""An append-only log of JSON lines that is whole after any failure."""

import dataclasses
import io
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.common.errors import KerasuiteError, from_os_error
from shared.common.files import plain

try:
    import fcntl
except ImportError:  # Windows: two runs in one folder are not noticed there.
    fcntl = None


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a log: its fields and the byte where it begins."""

    row: dict[str, Any]
    start: int

    @property
    def key(self) -> tuple[str, int | None]:
        """The `key` of the source that it is about."""
        return self.row["file"], self.row.get("line")


def _is_result(row: Any) -> bool:
    """Whether a line of the log names its source."""
    if not isinstance(row, dict) or not isinstance(row.get("file"), str):
        return False
    line = row.get("line")
    return line is None or (isinstance(line, int) and not isinstance(line, bool))


class AppendLog:
    """An append-only file that never ends in half a line, whatever fails.

    Args:
        path: the file; created at the first line unless it exists.
    """

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
        self._pending += to_json(row).encode() + b"\n"

    def flush(self) -> None:
        """Hands the pending rows to the operating system.

        Raises:
            KerasuiteError: if they cannot be written; the file then ends as before.
        """
        try:
            while self._pending:
                written = self.open().write(self._pending)
                self._size += written
                del self._pending[:written]
            self._require_path()
        except OSError as error:
            error.filename = error.filename or str(self.path)
            self._pending.clear()
            if self._file is not None:
                self._cut_torn_line()
            raise from_os_error(error) from error

    def _require_path(self) -> None:
        """Makes sure that what was written is still to be found under its name."""
        if self._file is None:
            return
        try:
            if os.path.samestat(os.stat(self.path), os.fstat(self._file.fileno())):
                return
        except FileNotFoundError:
            pass
        raise KerasuiteError(
            f"{self.path}: is no longer there; what was predicted is lost, start again"
        )

    def open(self) -> io.FileIO:
        """Opens the file for appending unless it is open; creates it if it is missing."""
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
        file = self.open()
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
        """Closes the file, which also gives up its lock."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def lines(self, start: int = 0) -> Iterator[Line]:
        """Reads the whole lines from byte `start` on."""
        if not self.path.exists():
            return
        for number, (begin, data) in enumerate(self._whole_lines(start), 1):
            try:
                row = json.loads(data)
            except ValueError:
                row = None
            if not _is_result(row):
                raise KerasuiteError(
                    f"{self.path}: line {number} is not one of its results; choose another --output"
                )
            yield Line(row, begin)

    def _whole_lines(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yields (first byte, line); a torn last line is left out."""
        with open(self.path, "rb") as file:
            file.seek(start)
            for data in file:
                if data.endswith(b"\n"):
                    yield start, data
                    start += len(data)

    def _cut_torn_line(self) -> None:
        self._size = sum(len(data) for _, data in self._whole_lines())
        try:
            os.truncate(self.path, self._size)
        except OSError as error:
            raise from_os_error(error) from error


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
