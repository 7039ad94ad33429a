"""The logs of batch inference: whole lines only, in one order, read back to resume.

Every source ends as one line of `predictions.jsonl` or of `errors.jsonl`. Lines are appended in the
order of the sources, across both files, so that after a kill the finished sources are exactly a
beginning of that order.
"""

import heapq
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from shared.common.inputs import Source
from shared.engine.prediction.append_log import AppendLog
from shared.engine.prediction.written_files import remove_predictions


class PredictionLogs:
    """Predictions and errors of one run (or one shard), kept in one common order.

    Args:
        folder: the output folder.
        ending: str. What follows the names of the files, "" or "-2-of-4".
    """

    def __init__(self, folder: Path, ending: str = ""):
        self.folder = folder
        self.predictions = AppendLog(folder / f"predictions{ending}.jsonl")
        self.errors = AppendLog(folder / f"errors{ending}.jsonl")

    def open(self) -> None:
        """Locks the predictions file and takes up what an earlier run left."""
        self.predictions.lock()
        self.predictions.recover()
        self.errors.recover()
        if not len(self.errors):
            self.errors.path.unlink(missing_ok=True)

    def remove(self, ending: str) -> None:
        """Removes all that earlier predictions wrote, unless a run is at it."""
        if self.folder.is_dir():
            self.predictions.lock()
            self.predictions.close()
            remove_predictions(self.folder, ending)

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
            yield line.row


def _identity(source: Source) -> dict[str, Any]:
    return {"file": source.name} | ({} if source.line is None else {"line": source.line})
