"""The stages of batch inference; `predict` explains them and `Predictor` is called by them."""

import contextlib
import dataclasses
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from shared.common.errors import KerasuiteError, from_os_error
from shared.common.inputs import Source
from shared.common.prefetch import prefetch
from shared.common.progress import Progress
from shared.common.signals import CaughtSignal
from shared.engine.prediction.finished_sources import FinishedSources
from shared.engine.prediction.prediction_files import PredictionFiles
from shared.engine.prediction.prediction_logs import PredictionLogs
from shared.engine.prediction.predictor import Example, Predictor
from shared.engine.saved_model.loaded_model import LoadedModel, WrongModelError, one_line

log = logging.getLogger(__name__)

_READ_AHEAD = 3  # Windows of one batch.
_LARGE_WINDOW = 64 * 2**20  # Bytes of examples; above it only one window is read ahead.
# Rows of a split file that a thread takes at once: a future for each of a million small rows costs
# more than what is done with them.
_BLOCK = 64


@dataclasses.dataclass(frozen=True)
class PredictSummary:
    """The numbers of results in the output folder, and the time that this run took.

    Attributes:
        done: int. Sources with a prediction.
        rejected: int. Sources in errors.jsonl.
        skipped: int. Number of both that an earlier run had finished.
        seconds: float. Time of this run from the loaded model on.
    """

    done: int
    rejected: int
    skipped: int
    seconds: float


class _Stopped(Exception):
    """A batch was not begun because a signal had arrived."""


@dataclasses.dataclass
class _Item:
    """One source on its way through the stages.

    Attributes:
        source: the source; of an `end`, the file all of whose lines came before.
        finished: whether an earlier run has written its line.
        error: what rejected the source before it reached the model.
        example: where the result of `Predictor.read` will be.
        batch: the future of the batch it is in: where the records will be.
        index: its index in that batch.
    """

    source: Source
    finished: bool = False
    end: bool = False
    error: KerasuiteError | None = None
    example: "_Part | None" = None
    batch: Future | None = None
    index: int = 0


@dataclasses.dataclass(frozen=True)
class _Part:
    """One result of a future that has those of a block.

    Attributes:
        block: the future, of a list.
        index: place in the list.
    """

    block: Future
    index: int

    def result(self) -> Any:
        """Waits for it."""
        return self.block.result()[self.index]


def _in_blocks(pool: ThreadPoolExecutor, size: int, function: Callable, items: list) -> list[_Part]:
    """The results of a function of single items, in the order of these.

    Args:
        pool: where it runs.
        size: int. Items that a thread takes at once.
        function: of one item.
        items: the items.
    """
    parts = []
    for begin in range(0, len(items), size):
        block = items[begin : begin + size]
        future = pool.submit(lambda block=block: [function(item) for item in block])
        parts += (_Part(future, index) for index in range(len(block)))
    return parts


class PredictionRun:
    """The stages of one run; the main thread moves windows from stage to stage.

    Args:
        model: the loaded SavedModel.
        predictor: the application's side.
        batch_size: int. Examples in one call of the model.
        threads: int. Reading threads; 0 chooses by the number of processors.
        logs, files: where results go.
        caught: the signals that stop the run.
        bar: shows its progress.
    """

    def __init__(self, model, predictor, batch_size, threads, logs, files, caught, bar):
        self._model: LoadedModel = model
        self._predictor: Predictor = predictor
        self._batch_size: int = batch_size
        self._logs: PredictionLogs = logs
        self._files: PredictionFiles = files
        self._caught: CaughtSignal = caught
        self._bar: Progress = bar
        self._buckets = predictor.overrides("size")
        self._finishes = predictor.overrides("finish")
        # Files are opened by each thread; lines are cheap.
        self._block = _BLOCK if predictor.overrides("split") else 1
        self._window_size = batch_size * (predictor.bucket if self._buckets else 1)
        self._window_bytes = 0
        self._done = self._rejected = 0
        self._start: tuple[int, int] | None = None
        threads = threads or min(16, 2 * (os.cpu_count() or 1))
        self._readers = ThreadPoolExecutor(threads, "read")
        self._caller = ThreadPoolExecutor(1, "model")
        self._writers = ThreadPoolExecutor(max(2, threads // 2), "write")

    def __enter__(self) -> "PredictionRun":
        return self

    def __exit__(self, *exception) -> None:
        for pool in (self._readers, self._caller, self._writers):
            pool.shutdown(wait=True, cancel_futures=True)

    def all(self, sources: Iterable[Source]) -> PredictSummary:
        """Runs everything that is not done."""
        began = time.perf_counter()
        items = self._unfinished(self._items(sources))
        skipped = self._done + self._rejected
        self._bar.skip(skipped)
        read = prefetch(self._reading(items), self._read_ahead)
        called = prefetch(map(self._call_window, read), lambda: 1)
        try:
            for window in called:
                self._write_window(window)
                if not any(item.batch for item in window):
                    self._stop_if_asked()  # Where there are batches, these stop by themselves.
        except _Stopped:
            self._stop_if_asked()
            raise
        finally:
            self._logs.flush()
        seconds = time.perf_counter() - began
        return PredictSummary(self._done, self._rejected, skipped, seconds)

    def _stop_if_asked(self) -> None:
        self._caught.stop(
            f"interrupted after {self._done + self._rejected} inputs, which are written; "
            "continue with the same command and --resume"
        )

    # Stage 1: sources to items, without what is done.

    def _items(self, sources: Iterable[Source]) -> Iterator[_Item]:
        for file in sources:
            try:
                with _faults_named(file):
                    for source in self._predictor.split(file):
                        yield _Item(source)
            except (KerasuiteError, OSError) as error:
                yield _Item(file, error=_rejection(error))
            if self._finishes:
                yield _Item(file, end=True)

    def _unfinished(self, items: Iterator[_Item]) -> Iterator[_Item]:
        """Skips what is done, except what its first window needs to make the same batches."""
        earlier = FinishedSources(self._logs)
        window: list[_Item] = []
        ends: list[_Item] = []
        first = None
        for item in items:
            self._stop_if_asked()
            if item.end:
                ends.append(item)
            elif earlier.pop(item.source):
                ends.clear()
                if len(window) == self._window_size:
                    window.clear()
                window.append(dataclasses.replace(item, finished=True))
            else:
                first = item
                break
        earlier.require_end()
        self._done, self._rejected, self._start = earlier.done, earlier.rejected, earlier.start
        if first is None or len(window) == self._window_size:
            window.clear()
        return itertools.chain(window, ends, [] if first is None else [first], items)

    # Stage 2: items to windows that are being read.

    def _reading(self, items: Iterator[_Item]) -> Iterator[list[_Item]]:
        window: list[_Item] = []
        unread: list[_Item] = []
        count = 0
        for item in items:
            window.append(item)
            if not item.end and item.error is None:
                unread.append(item)
            count += not item.end
            is_full = count == self._window_size
            if is_full or len(unread) == self._block:
                self._begin_to_read(unread)
                unread = []
            if is_full:
                yield window
                window, count = [], 0
        self._begin_to_read(unread)
        if window:
            yield window

    def _begin_to_read(self, items: list[_Item]) -> None:
        sources = [item.source for item in items]
        parts = _in_blocks(self._readers, self._block, self._read, sources)
        for item, part in zip(items, parts, strict=True):
            item.example = part

    def _read(self, source: Source) -> tuple[Example, int] | KerasuiteError:
        try:
            with _faults_named(source):
                example = self._predictor.read(source)
                return example, self._predictor.size(example)
        except (KerasuiteError, OSError) as error:
            return _rejection(error)

    def _read_ahead(self) -> int:
        large = self._buckets or self._window_bytes > _LARGE_WINDOW
        return 1 if large else _READ_AHEAD

    # Stage 3: windows to batches that wait for the model.

    def _call_window(self, window: list[_Item]) -> list[_Item]:
        self._window_bytes = 0
        costs = {}
        for index, item in enumerate(window):
            result = item.example.result() if item.example else None
            if isinstance(result, KerasuiteError):
                item.error = result
            elif result is not None:
                example, size = result
                self._window_bytes += _nbytes(example)
                costs[index] = (size, _shapes(example), index)
        order = [window[index] for index in sorted(costs, key=costs.get)]
        shapes = {id(window[index]): cost[1] for index, cost in costs.items()}
        for batch in _batches(order, self._batch_size, lambda item: shapes[id(item)]):
            if all(item.finished for item in batch):
                continue
            examples = [item.example.result()[0] for item in batch]
            future = self._caller.submit(self._call_batch, [i.source for i in batch], examples)
            for index, item in enumerate(batch):
                item.batch, item.index = future, index
        for item in window:
            item.example = None  # The batch alone keeps the example in memory.
        return window

    def _call_batch(self, sources: list[Source], examples: list[Example]) -> list[_Part]:
        if self._caught.raised is not None:
            raise _Stopped
        results = zip(sources, self._call(examples), strict=True)
        return _in_blocks(
            self._writers, self._block, lambda result: self._record(*result), list(results)
        )

    def _call(self, examples: list[Example]) -> list:
        """The outputs of every example, or the error of those that the model cannot take."""
        try:
            return list(self._predictor.call(self._model, examples))
        except Exception as error:
            if isinstance(error, WrongModelError):
                raise
            if not _is_about_data(error):
                raise KerasuiteError(f"{self._model.path} failed: {one_line(error)}") from error
            if len(examples) == 1:
                return [_rejection(error)]
            half = len(examples) // 2
            return self._call(examples[:half]) + self._call(examples[half:])

    def _record(self, source: Source, outputs) -> dict[str, Any] | KerasuiteError:
        if isinstance(outputs, KerasuiteError):
            return outputs
        try:
            with _faults_named(source):
                record = self._predictor.record(source, outputs)
                files = self._predictor.files(source, outputs)
        except (KerasuiteError, OSError) as error:
            return _rejection(error)
        return self._files.write_all(source, files) or record

    # Stage 4: lines, in the order of the sources.

    def _write_window(self, window: list[_Item]) -> None:
        for item in window:
            if item.end:
                self._finish(item.source)
            elif not item.finished:
                if self._start is None:
                    self._start = self._logs.position()
                self._write_line(item)
        self._logs.flush()

    def _write_line(self, item: _Item) -> None:
        result = item.error or item.batch.result()[item.index].result()
        if isinstance(result, KerasuiteError):
            self._logs.reject(item.source, item.source.named_in(str(result)))
            self._rejected += 1
            self._bar.text(f"{self._rejected:,} rejected")
        else:
            self._logs.accept(item.source, result)
            self._done += 1
        self._bar.advance()

    def _finish(self, source: Source) -> None:
        self._logs.flush()
        start = self._start or self._logs.position()
        files = self._predictor.finish(source, self._logs.rows(start))
        for name, chunks in files.items():
            self._files.write(source, name, chunks)
        self._start = None


def _batches(items: list[_Item], batch_size: int, shapes: Callable) -> Iterator[list[_Item]]:
    """Cuts a list into batches of equal shapes."""
    for _, group in itertools.groupby(items, key=shapes):
        group = list(group)
        for start in range(0, len(group), batch_size):
            yield group[start : start + batch_size]


def _shapes(example: Example) -> tuple:
    return tuple(getattr(example[name], "shape", ()) for name in sorted(example))


def _nbytes(example: Example) -> int:
    return sum(
        len(value) if isinstance(value, (bytes, str)) else np.asarray(value).nbytes
        for value in example.values()
    )


@contextlib.contextmanager
def _faults_named(source: Source) -> Iterator[None]:
    """Adds the source to a fault of the program, which ends the run: it is no fault of the file."""
    try:
        yield
    except (KerasuiteError, OSError):
        raise
    except Exception as error:
        raise RuntimeError(f"{source.name}: {type(error).__name__}: {one_line(error)}") from error


def _rejection(error: Exception) -> KerasuiteError:
    log.debug("rejected", exc_info=error)
    if isinstance(error, OSError) and error.strerror:
        error = from_os_error(error)
    return error if isinstance(error, KerasuiteError) else KerasuiteError(one_line(error))


def _is_about_data(error: Exception) -> bool:
    """Whether another example may do better; a lost device or a wrong model is the end."""
    import tensorflow as tf

    fatal = (
        tf.errors.InternalError,
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.UnknownError,
        tf.errors.NotFoundError,
    )
    return not isinstance(error, fatal)
