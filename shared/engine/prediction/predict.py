"""Batch inference: an exported model applied to any number of sources.

Memory is constant, but for the list of the sources.

    read (threads) -> batches -> model (a thread) -> record, files (threads) -> lines, in order

The sources are cut into windows of one batch (or of several, which are then ordered by size).
A window, and therefore every batch, depends on nothing but the order of the sources: a run
that was killed and resumed puts the same examples together and gives the same bytes.
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from shared.common.errors import KerasuiteError, from_os_error
from shared.common.files import plain
from shared.common.inputs import Source, parse_shard
from shared.common.messages import warn
from shared.common.progress import Progress
from shared.common.signals import catch_signals
from shared.engine.prediction import csv_view, prediction_page
from shared.engine.prediction.prediction_files import PredictionFiles
from shared.engine.prediction.prediction_logs import PredictionLogs
from shared.engine.prediction.prediction_run import PredictionRun, PredictSummary
from shared.engine.prediction.predictor import Predictor
from shared.engine.saved_model.loaded_model import LoadedModel, fingerprint

__all__ = ["PredictSummary", "predict"]

log = logging.getLogger(__name__)

FORMATS = ("jsonl", "csv")
Loader = Callable[[str | os.PathLike, str], LoadedModel]


def predict(
    saved_model: str | os.PathLike,
    sources: Sequence[Source],
    predictor: Predictor,
    output: str | os.PathLike,
    *,
    batch_size: int = 32,
    format: str = "jsonl",
    resume: bool = False,
    overwrite: bool = False,
    shard: str | None = None,
    threads: int = 0,
    progress: bool = True,
    load: Loader = LoadedModel,
) -> PredictSummary:
    """Writes one line for every source, and the predictor's files.

    Args:
        saved_model: folder of the SavedModel, or what `load` reads; nothing else is loaded.
        sources: what `inputs.find_inputs` gives (already the part of `shard`), or a list.
        predictor: the application's side.
        output: folder for `predictions.jsonl`, `errors.jsonl`, `predict.json` and files; where
            the predictor has pictures or marked texts also `index.html`, at the end of a whole run.
        batch_size: int. Examples in one call of the model.
        format: "jsonl", or "csv" for `predictions.csv` as well, at the end of a whole run.
        resume: continue what is in `output`, if anything is.
        overwrite: remove what earlier predictions wrote there, and nothing else, once the model
            is loaded.
        shard: "K/N" or None; only names the results here.
        threads: int. Reading threads; 0 chooses by the number of processors.
        progress: whether to show progress on standard error.
        load: function of `saved_model` and a signature.

    Returns:
        A `PredictSummary`; a caller with rejected sources exits with `errors.SOME_REJECTED`.

    Raises:
        KerasuiteError: if the model, the output folder or an earlier run do not allow it.
        Interrupted: after SIGINT or SIGTERM; everything finished is written.
    """
    if format not in FORMATS:
        raise KerasuiteError(f"--format {format}: give one of {', '.join(FORMATS)}")
    if batch_size < 1:
        raise KerasuiteError(f"--batch-size {batch_size}: give at least 1")
    output = Path(output)
    ending = "-{}-of-{}".format(*parse_shard(shard)) if shard else ""
    settings_file = output / f"predict{ending}.json"
    logs = PredictionLogs(output, ending)
    if resume and overwrite:
        raise KerasuiteError("--overwrite: begins anew, --resume continues; give one of them")
    if not resume and not overwrite:
        views = [] if shard else _views(predictor, format)
        paths = [settings_file, logs.predictions.path, logs.errors.path]
        _refuse_to_overwrite(*paths, *(output / name for name in views))
    settings = {
        "model": fingerprint(saved_model),
        "signature": predictor.signature,
        "shard": shard,
        "limit": getattr(sources, "limit", None),
        "settings": json.loads(json.dumps(predictor.settings(), default=plain)),
    }
    model = load(saved_model, predictor.signature)
    model.require(predictor.inputs, predictor.outputs)
    predictor.start(model)
    if overwrite:
        logs.remove(ending)
    with (
        _opened(logs),
        PredictionFiles(output, ending) as files,
        catch_signals() as caught,
        Progress(unit=predictor.unit, description="predict", enabled=progress) as bar,
        _counted(sources, predictor, bar),
        PredictionRun(model, predictor, batch_size, threads, logs, files, caught, bar) as run,
    ):
        _keep_settings(settings_file, settings, logs, files)
        result = run.all(sources)
        if not shard:
            write_summary(predictor, sources, logs, files, format)
        files.settle()
    for line in predictor.remarks():
        warn(line)
    return result


def write_summary(
    predictor: Predictor,
    sources: Sequence[Source],
    logs: PredictionLogs,
    files: PredictionFiles,
    format: str,
) -> None:
    """Writes what is made of all lines together.

    Args:
        predictor: makes the application's files.
        sources: all of the run, in the order of the log.
        logs: of a whole run.
        files: of the output folder.
        format: "jsonl", or "csv" for `predictions.csv` as well.
    """
    if format == "csv":
        csv_view.write_csv(predictor, logs, files)
    for name, chunks in predictor.summary(logs.rows((0, 0))).items():
        files.write(None, name, chunks)
    if prediction_page.NAME in _views(predictor, format):
        prediction_page.write_page(predictor, sources, logs, files)


def _views(predictor: Predictor, format: str) -> list[str]:
    """Names of the files that show the log in another way."""
    table = [csv_view.NAME] if format == "csv" else []
    return table + [prediction_page.NAME] * prediction_page.has_page(predictor)


def _refuse_to_overwrite(*paths: Path) -> None:
    for path in paths:
        if os.path.lexists(path):
            raise KerasuiteError(
                f"{path.parent} already holds predictions; add --resume to continue them or "
                "--overwrite to replace them, or choose another --output"
            )


@contextlib.contextmanager
def _opened(logs: PredictionLogs) -> Iterator[None]:
    """Makes the output folder, or takes it up where an earlier run left it.

    Raises:
        KerasuiteError: if it cannot be written or is in use.
    """
    try:
        logs.folder.mkdir(parents=True, exist_ok=True)
        logs.open()
        yield
    except OSError as error:
        raise from_os_error(error) from error
    finally:
        logs.close()


def _keep_settings(
    path: Path, settings: dict[str, Any], logs: PredictionLogs, files: PredictionFiles
) -> None:
    """Writes the settings of a new run and compares those of a resumed one."""
    if path.exists():
        _require_same(path, settings)
    elif len(logs.predictions) or len(logs.errors):
        raise KerasuiteError(
            f"cannot resume {path.parent}: it holds no {path.name}; choose another --output"
        )
    else:
        text = json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
        files.write(None, path.name, [text.encode()])


def _require_same(settings_file: Path, settings: dict[str, Any]) -> None:
    try:
        earlier = json.loads(settings_file.read_text(encoding="utf-8"))
    except ValueError:
        earlier = {}
    for name, value in settings.items():
        if earlier.get(name) != value:
            difference = f"{name} was {json.dumps(earlier.get(name))} and is {json.dumps(value)}"
            if name == "model":
                difference = "the model is another one"
            raise KerasuiteError(
                f"cannot resume {settings_file.parent}: {difference}; give the same options or "
                "another --output"
            )


@contextlib.contextmanager
def _counted(sources: Sequence[Source], predictor: Predictor, bar: Progress) -> Iterator[None]:
    """Tells the bar its end: files that are split are counted beside the run."""
    stop = threading.Event()
    if predictor.overrides("split"):
        counter = threading.Thread(target=_count, args=(sources, predictor, bar, stop), daemon=True)
        counter.start()
    else:
        bar.set_total(len(sources))
    try:
        yield
    finally:
        stop.set()


def _count(
    sources: Sequence[Source], predictor: Predictor, bar: Progress, stop: threading.Event
) -> None:
    total = 0
    try:
        for source in sources:
            if stop.is_set() or source.path is None:
                return
            total += predictor.count(source)
        bar.set_total(total)
    except Exception:
        log.debug("cannot count the inputs", exc_info=True)
