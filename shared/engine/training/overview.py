"""`index.html` of a run: metrics, curves, samples, mistakes and commands on one page."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.common.files import plain
from shared.engine.app import App
from shared.engine.run import Run
from shared.engine.training.next_steps import command_of, name_of, next_commands, usual_target
from shared.report.page import Page

NAME = "index.html"
# Of pictures that a training leaves one of each epoch: the last are the best.
LAST_PICTURES = 12
ROWS_SHOWN = 100
FILES = ("README.md", "config.yaml", "history.csv", "metrics.json", "environment.json")


def write_overview(
    app: App, run: Run, metrics: Mapping[str, Any], data: Sequence[str] = ()
) -> None:
    """Writes the page of a run, or of its evaluation on other data, with relative links.

    Args:
        app: the application.
        run: the run.
        metrics: the final evaluation.
        data: the other data; the page then is in the folder `evaluation`.
    """
    folder = run.folder / "evaluation" if data else run.folder
    page = Page(f"{name_of(run)} ({app.name})", inline=False)
    page.text((type(app).__doc__ or "").strip().partition("\n")[0])
    _commands(page, app, run)
    _metrics(page, metrics, ", ".join(data) or app.validation)
    plots = sorted((folder / "plots").glob("*.png"), key=_curves_first)
    if plots:
        page.heading("Plots")
        page.pictures([(path, path.stem.replace("_", " ")) for path in plots], large=True)
    _samples(page, folder / "samples")
    page.heading("Files")
    page.links([(folder / name, name) for name in FILES if (folder / name).is_file()])
    page.write(folder / NAME)


def _curves_first(path: Path) -> tuple[bool, str]:
    """They tell whether all went well."""
    return path.stem != "curves", path.name


def _commands(page: Page, app: App, run: Run) -> None:
    if command := command_of(run):
        page.heading("To train it again")
        page.code(command)
    page.heading("To go on with it")
    page.code("\n".join(next_commands(app, run, usual_target(app, name_of(run)))))


def _metrics(page: Page, metrics: Mapping[str, Any], data: str) -> None:
    page.heading("Metrics")
    numbers = [
        (name, plain(value) if hasattr(value, "tolist") else value)
        for name, value in metrics.items()
        if not isinstance(value, (Mapping, list, tuple))
    ]
    if numbers:
        page.text(f"On {data}.")
        page.table(numbers, ("metric", "value"))
    else:
        page.text(f"No figures on {data}.")
    for name, rows in metrics.items():
        if (
            isinstance(rows, Mapping)
            and rows
            and all(isinstance(r, Mapping) for r in rows.values())
        ):
            page.heading(name.replace("_", " ").capitalize(), 3)
            _nested(page, rows)


def _nested(page: Page, rows: Mapping[str, Mapping[str, Any]]) -> None:
    rows = {name: row for name, row in rows.items() if isinstance(row, Mapping)}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    shown = list(rows.items())[:ROWS_SHOWN]
    page.table([[name, *(row.get(c, "") for c in columns)] for name, row in shown], ["", *columns])
    if len(rows) > ROWS_SHOWN:
        page.text(f"and {len(rows) - ROWS_SHOWN:,} more, in metrics.json")


def _samples(page: Page, folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        return
    page.heading("Samples and mistakes")
    pictures = list(_of(files, ".png", ".jpg"))[-LAST_PICTURES:]
    page.pictures([(path, path.stem) for path in pictures], large=True)
    for path in _of(files, ".html"):
        page.heading(path.stem.replace("_", " ").capitalize(), 3)
        page.frame(path)
    page.links([(path, path.name) for path in files if path not in pictures])


def _of(files: Sequence[Path], *suffixes: str) -> Iterator[Path]:
    return (path for path in files if path.suffix in suffixes)
