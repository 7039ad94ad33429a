"""predictions.csv: the rows of predictions.jsonl as a table, written at the end of a whole run."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from shared.common.spreadsheets import inert
from shared.engine.prediction.append_log import to_json
from shared.engine.prediction.prediction_files import PredictionFiles
from shared.engine.prediction.prediction_logs import PredictionLogs
from shared.engine.prediction.predictor import Predictor

NAME = "predictions.csv"
Row = dict[str, Any]


def write_csv(predictor: Predictor, logs: PredictionLogs, files: PredictionFiles) -> None:
    """Writes the table of all predictions, atomically and in constant memory.

    Args:
        predictor: gives the columns of a record.
        logs: of a whole run.
        files: of the folder that the table goes to.
    """

    def rows() -> Iterator[Row]:
        return (predictor.csv_row(line.row) for line in logs.predictions.lines())

    files.write(None, NAME, csv_lines(rows))


def csv_lines(rows: Callable[[], Iterable[Row]]) -> Iterator[bytes]:
    """The header and the lines of a table.

    Args:
        rows: gives the rows anew at each call: once for the columns, which are the keys of all
            rows in the order of their first appearance, and once for the lines.
    """
    columns = list(dict.fromkeys(name for row in rows() for name in row))
    if not columns:
        return
    yield _line(columns)
    for row in rows():
        yield _line([row.get(name) for name in columns])


def _line(values: Iterable[Any]) -> bytes:
    text = ",".join(map(_cell, values)) + "\n"
    try:
        return text.encode("utf-8", "surrogateescape")  # File names as the system has them.
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _cell(value: Any) -> str:
    """A text, nothing for None, and JSON for all else: numbers, lists, dicts."""
    text = inert(value) if isinstance(value, str) else "" if value is None else to_json(value)
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text
