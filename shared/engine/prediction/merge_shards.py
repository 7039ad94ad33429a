"""One result of a prediction that several workers, or calls with `--shard K/N`, shared.

Part K of N is in `predictions-K-of-N.jsonl`; the one that ends last puts the lines of all of them
together in the order of the sources, as one process would have written them. Parts that were
written elsewhere are copied into one folder first; then the last one is called with `--resume`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from shared.common.files import write_text
from shared.common.inputs import Source, parse_shard
from shared.engine.prediction.append_log import AppendLog, Line
from shared.engine.prediction.predict import write_summary
from shared.engine.prediction.prediction_files import PredictionFiles
from shared.engine.prediction.prediction_logs import PredictionLogs
from shared.engine.prediction.predictor import Predictor


def merge_if_last(
    output: Path, format: str, shard: str, sources: Sequence[Source], predictor: Predictor
) -> bool:
    """Notes that a shard is done and merges all, if all are.

    Args:
        output: the output folder.
        format: "jsonl", or "csv" for `predictions.csv` as well.
        shard: "K/N", the one that has just ended.
        sources: all sources, in order.
        predictor: makes the files of all lines together.

    Returns:
        Whether the merged files are there. Two that end at once may both merge; the files are
        replaced as a whole by equal ones.
    """
    part, parts = parse_shard(shard)
    write_text(_mark(output, part, parts), "")
    if not all(_mark(output, number, parts).exists() for number in range(1, parts + 1)):
        return False
    merge(output, parts, sources)
    with PredictionFiles(output) as files:
        write_summary(predictor, sources, PredictionLogs(output), files, format)
        files.settle()
    return True


def _mark(output: Path, part: int, parts: int) -> Path:
    return output / f".done-{part}-of-{parts}"


def merge(output: Path, parts: int, sources: Iterable[Source]) -> None:
    """Writes `predictions` and `errors` of all shards; those of the shards stay.

    Args:
        output: the output folder.
        parts: the number of shards.
        sources: all sources, in order.
    """
    shards = [PredictionLogs(output, f"-{k}-of-{parts}") for k in range(1, parts + 1)]
    heads = [(_Rows(shard.predictions), _Rows(shard.errors)) for shard in shards]
    folder = Path(tempfile.mkdtemp(dir=output, prefix=".partial-"))
    try:
        merged = PredictionLogs(folder)
        for number, source in enumerate(sources):
            predictions, errors = heads[number % parts]
            for row in predictions.of(source):
                merged.predictions.append(row)
            for row in errors.of(source):
                merged.errors.append(row)
            merged.flush()
        merged.close()
        for log in (merged.predictions, merged.errors):
            if log.path.exists():
                os.replace(log.path, output / log.path.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Rows:
    """The rows of a log, given out source by source."""

    def __init__(self, log: AppendLog):
        log.recover()
        self._lines = log.lines()
        self._head: Line | None = next(self._lines, None)

    def of(self, source: Source) -> Iterator[dict]:
        while self._head is not None and self._head.row["file"] == source.name:
            yield self._head.row
            self._head = next(self._lines, None)
