"""index.html: a page of the first results, a view of the log as predictions.csv is.

Written at the end of a whole run, from the lines of the log, the inputs and the files beside the
log, so that a resumed run, or one of several parts, writes the same bytes.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.common.errors import KerasuiteError
from shared.common.files import printable
from shared.common.inputs import Source
from shared.engine.prediction.prediction_files import PredictionFiles
from shared.engine.prediction.prediction_logs import PredictionLogs
from shared.engine.prediction.predictor import Predictor
from shared.report.page import Page, Picture

NAME = "index.html"
MAX_RESULTS = 100


def write_page(
    predictor: Predictor, sources: Iterable[Source], logs: PredictionLogs, files: PredictionFiles
) -> None:
    """Writes the page of a predictor that has one, see `has_page`; none without a result.

    Args:
        predictor: gives pictures or marked texts.
        sources: all of the run, in the order of the log.
        logs: of a whole run.
        files: of the folder that the page goes to.
    """
    rows = [line.row for line in itertools.islice(logs.predictions.lines(), MAX_RESULTS + 1)]
    if rows:
        page = _page(predictor, sources, rows, logs)
        files.write(None, NAME, [page.render(logs.folder).encode("utf-8", "backslashreplace")])


def _page(predictor, sources, rows: list[dict[str, Any]], logs: PredictionLogs) -> Page:
    shown = rows[:MAX_RESULTS]
    page = Page("Predictions", inline=False)
    count = "All" if shown == rows else f"The first {MAX_RESULTS}"
    page.text(f"{count} results; every one has a line in {logs.predictions.path.name}.")
    if next(logs.errors.lines(), None):
        page.text(f"Inputs that were rejected are listed in {logs.errors.path.name}.")
    if predictor.overrides("pictures"):
        without = _add_pictures(page, predictor, _sources_of(shown, sources), shown, logs.folder)
    else:
        without = _add_texts(page, predictor, _sources_of(shown, sources), shown)
    if without:
        files = ", ".join(dict.fromkeys(map(printable, without)))
        page.text(f"Left out, as the file cannot be read again: {files}")
    return page


def has_page(predictor: Predictor) -> bool:
    """Whether the results of a predictor are worth looking at."""
    return predictor.overrides("pictures") or predictor.overrides("marked_text")


def _add_pictures(page, predictor, sources, rows, folder) -> list[str]:
    """Adds a gallery; returns the names of the files that it lacks."""

    def pictures_of(row) -> list[Picture] | None:
        try:
            return predictor.pictures(row, sources[row["file"]], folder)
        except (KerasuiteError, OSError):
            return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Decoders and encoders release the lock.
        found = list(pool.map(pictures_of, rows))
    shown = [pictures for pictures in found if pictures is not None]
    page.pictures(itertools.chain(*shown), large=any(len(each) > 1 for each in shown))
    return [row["file"] for row, made in zip(rows, found, strict=True) if made is None]


def _add_texts(page, predictor, sources, rows) -> list[str]:
    """Adds the texts of each file; returns the names of the files that it lacks."""
    without = []
    for name, of_file in itertools.groupby(rows, key=lambda row: row["file"]):
        wanted = {row["line"]: row for row in of_file}
        page.heading(printable(name), level=3)
        try:
            for part in _parts(predictor, sources[name], max(wanted)):
                if part.line in wanted:
                    page.marked_text(predictor.marked_text(wanted[part.line], part))
        except (KerasuiteError, OSError):
            without.append(name)
    return without


def _parts(predictor: Predictor, source: Source, last: int) -> Iterator[Source]:
    """The lines of a file up to one."""
    if source.path is None:
        raise KerasuiteError(f"{source.name}: is gone")
    for part in predictor.split(source):
        yield part
        if part.line == last:
            return


def _sources_of(rows: list[dict[str, Any]], sources: Iterable[Source]) -> dict[str, Source]:
    """The sources of the first rows by their names; they come first among all, too."""
    wanted = {row["file"] for row in rows}
    found = {}
    for source in sources:
        if source.name in wanted:
            found[source.name] = source
            if len(found) == len(wanted):
                break
    return found
