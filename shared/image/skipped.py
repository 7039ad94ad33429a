"""Images that a training leaves out: a table of them, and a warning."""

import csv
from collections.abc import Sequence
from pathlib import Path

from shared.common.files import atomic_path
from shared.common.messages import warn
from shared.common.spreadsheets import inert


def report_skipped(skipped: list[tuple[str, str]], path: Path, remarks: Sequence[str] = ()) -> None:
    """Lists images that cannot be used, with a warning; does nothing if there are none.

    Args:
        skipped: (path, reason) of each. Names that are not UTF-8 are written with escapes.
        path: the CSV file to write.
        remarks: other warnings about the data, see `remarks.image_remarks`.
    """
    for line in remarks:
        warn(line)
    if not skipped:
        return
    with (
        atomic_path(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as out,
    ):
        csv.writer(out, lineterminator="\n").writerows(
            [("path", "reason"), *((inert(path), reason) for path, reason in skipped)]
        )
    warn(f"{len(skipped)} images cannot be used and are left out; they are listed in {path}")
