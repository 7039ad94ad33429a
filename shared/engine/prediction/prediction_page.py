"""index.html: a page of the first results, a view of the log as predictions.csv is.

Written at the end of a whole run, from the lines of the log, the inputs and the files beside the
log, so that a resumed run, or one of several parts, writes the same bytes.
"""

import itertools
from collections.abc import Iterable
from typing import Any

from shared.common.errors import KerasuiteError
from shared.common.files import printable
from shared.common.inputs import Source
from shared.engine.prediction.prediction_files import PredictionFiles
from shared.engine.prediction.prediction_logs import PredictionLogs
from shared.engine.prediction.predictor import Predictor
from shared.report.page import Page

NAME = "index.html"
MAX_RESULTS = 100


def write_page(
    predictor: Predictor, sources: Iterable[Source], logs: PredictionLogs, files: PredictionFiles
) -> None:
    """Writes the page of a predictor that has pictures; none without a result.

    Args:
        predictor: gives the pictures.
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
    found = _sources_of(shown, sources)
    pictures, without = [], []
    for row in shown:
        try:
            pictures.append(predictor.pictures(row, found[row["file"]], logs.folder))
        except (KerasuiteError, OSError):
            without.append(printable(row["file"]))
    page.pictures(itertools.chain(*pictures), large=any(len(each) > 1 for each in pictures))
    if without:
        page.text("Without a picture, as the file cannot be read again: " + ", ".join(without))
    return page


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
