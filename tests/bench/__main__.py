"""`make bench`: speed as ratios measured in one run, printed as a table and written as JSON.

    python -m tests.bench --output bench.json [ROW...]

Absolute rates depend on the machine and on what else it does; ratios of two things measured
in turn in the same run can be compared. A row below its floor is marked and the exit code
is 1. Applications add their rows to `rows.ROWS`. Rows that are compared with PyTorch measure it
with the Python that KERASUITE_PYTORCH names, see `tests.bench.pytorch`.
"""

import argparse
import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.measure import Result, Skipped
from tests.bench.rows import ROWS, measured


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(ROWS)}; by default all")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - set(ROWS)
    if unknown:
        parser.error(f"unknown row {min(unknown)}; one of {', '.join(ROWS)}")
    results, failed = [], False
    for name in arguments.rows or ROWS:
        try:
            results.append(_in_new_process(name))
        except Skipped as reason:
            print(f"{name}: skipped, {reason}", flush=True)
            continue
        except Exception as error:
            print(f"{name}: failed, {type(error).__name__}: {error}", flush=True)
            failed = True
            continue
        # A row may take minutes: nobody should lose it to the failure of a later one.
        print(f"{results[-1].name}: {results[-1].shown} ({results[-1].details})", flush=True)
    table = Table("what", "value", "floor", "details")
    for result in results:
        verdict = "" if result.holds else "  MISSED"
        table.add_row(result.name, result.shown, f"{result.bound}{verdict}", result.details)
    Console(width=140).print(table)
    arguments.output.write_text(json.dumps([vars(r) for r in results], indent=2) + "\n")
    return 0 if all(result.holds for result in results) and not failed else 1


def _in_new_process(name: str) -> Result:
    """Measures a row where nothing of another one is left: no memory, and TensorFlow's threads."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(measured, name).result()


if __name__ == "__main__":
    sys.exit(main())
