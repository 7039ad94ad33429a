"""The sources that an earlier run has finished, read from its logs."""

from shared.common.errors import KerasuiteError
from shared.common.inputs import Source
from shared.engine.prediction.append_log import Line
from shared.engine.prediction.prediction_logs import PredictionLogs


class FinishedSources:
    """Walks the logs of an earlier run beside the sources, in constant memory.

    Attributes:
        done, rejected: numbers of those found so far.
        start: position in the logs where the current file's rows begin.
    """

    def __init__(self, logs: PredictionLogs):
        self._logs = logs
        self._streams = [logs.predictions.lines(), logs.errors.lines()]
        self._heads: list[Line | None] = [next(stream, None) for stream in self._streams]
        self._counts = [0, 0]
        self._file: str | None = None
        self.start = logs.position()

    @property
    def done(self) -> int:
        return self._counts[0]

    @property
    def rejected(self) -> int:
        return self._counts[1]

    def pop(self, source: Source) -> bool:
        """Goes past the row of `source` if it is the next of a log; returns whether it was."""
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
                    f"(not found where it was: {head.row['file']}); give the same inputs or "
                    "another --output"
                )

    def _remember_start(self, source: Source) -> None:
        if source.name != self._file:
            self._file = source.name
            ends = self._logs.position()
            heads = zip(self._heads, ends, strict=True)
            self.start = tuple(end if head is None else head.start for head, end in heads)
