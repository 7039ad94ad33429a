"""Rows that are left out: one warning, and a list of all."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from shared.common.files import write_text
from shared.common.messages import warn
from shared.common.spreadsheets import inert
from shared.text.tables.table import Table

FILE = "skipped.csv"


def report_skipped(table: Table, folder: Path, notes: Sequence[str] = ()) -> None:
    """Warns of rows that are left out, and lists them in `skipped.csv`.

    Args:
        table: the table with its problems.
        folder: where the list goes.
        notes: further lines for the user.
    """
    for note in notes:
        warn(note)
    if not table.problems:
        return
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", "line", "problem"])
    for place, problem in table.problems:
        writer.writerow([inert(place.file), place.line, inert(problem)])
    write_text(folder / FILE, out.getvalue())
    place, problem = table.problems[0]
    warn(
        f"{len(table.problems):,} row(s) are left out, first {place}: {problem}; all are listed in "
        f"{folder / FILE}"
    )
