"""What the verbs `train evaluate export predict check` do, the same for every application.

The command files of the applications call these with the place of their App class, which is
imported only here: the command line itself stays free of TensorFlow.
"""

import importlib
import time
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from shared.engine import config as configs
from shared.engine.config import RunConfig
from shared.engine.errors import SOME_REJECTED, KerasuiteError
from shared.engine.quiet import import_tensorflow

# What may change when a run is resumed: how long and on what, not what is computed.
CHANGEABLE_ON_RESUME = (
    "epochs",
    "strategy",
    "devices",
    "checkpoint_every",
    "keep",
    "optimization.patience",
)

PROBLEMS_SHOWN = 50

console = Console(soft_wrap=True, highlight=False)


def load_app(place: str) -> Any:
    """Imports and creates the application at "package.module:Class", TensorFlow quietened."""
    import_tensorflow()
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)()


def train(
    place: str,
    config_type: type[RunConfig],
    data: list[str],
    output: Path | None,
    config_file: Path | None,
    resume: bool,
    overrides: dict[str, Any],
) -> Path:
    """Trains and prints where everything is; returns the run folder."""
    if resume:
        if config_file:
            raise KerasuiteError("--config: a resumed run has its own; leave it out")
        folder = _existing_run(config_type, output, overrides)
        config = _resumed_config(config_type, folder, data, overrides)
    else:
        given = overrides | ({"data": tuple(data)} if data else {})
        config = configs.resolve(config_type, given, config_file)
        if not config.data:
            raise KerasuiteError(f"kerasuite {config.task} train: name the DATA to train on")
        folder = output or _new_folder(config, overrides)
    started = time.perf_counter()
    app = load_app(place)
    from shared.engine.train import format_metrics
    from shared.engine.train import train as run_training

    run = run_training(app, config, folder, resume)
    metrics, shown = read_metrics(run.folder), escape(str(folder))
    console.print(
        f"[bold]Done[/bold] in {_duration(time.perf_counter() - started)}: "
        f"{format_metrics(metrics)}\n"
        f"Everything is in {shown} (README.md, metrics.json, plots/, model.keras). Next:\n"
        f"  kerasuite {_command(config.task)} export {shown}"
    )
    return folder


def _command(task: str) -> str:
    return task.partition("-")[0]


def _new_folder(config: RunConfig, overrides: dict[str, Any]) -> Path:
    """runs/TASK/NAME; a name that was not chosen by the user is numbered when taken."""
    root = Path("runs") / config.task
    if "name" in overrides or config.name:
        return root / config.name
    name = config.preset or "default"
    taken = (f"{name}-{number}" if number > 1 else name for number in range(1, 10**6))
    return next(root / candidate for candidate in taken if not (root / candidate).exists())


def _existing_run(config_type, output: Path | None, overrides: dict[str, Any]) -> Path:
    name = overrides.pop("name", None)
    if output is None and name is None:
        raise KerasuiteError("--resume: name the run to continue with --output RUN")
    folder = output or Path("runs") / config_type.task / name
    if not (folder / "config.yaml").is_file():
        raise KerasuiteError(f"{folder}: holds no run to resume; leave out --resume to start one")
    return folder


def _resumed_config(config_type, folder: Path, data, overrides: dict[str, Any]) -> RunConfig:
    config = configs.load(config_type, folder / "config.yaml")
    values = configs.to_dict(config)
    values.pop("task")
    for path, value in overrides.items():
        if path not in CHANGEABLE_ON_RESUME:
            flag = "--" + path.rpartition(".")[2].replace("_", "-")
            raise KerasuiteError(
                f"{flag}: cannot change when a run is resumed; leave it out or start a new run"
            )
        configs.set_value(values, path, value)
    if data and list(data) != list(config.data):
        raise KerasuiteError(
            f"DATA: the run in {folder} was started on {' '.join(config.data)}; leave DATA out"
        )
    return configs.from_dict(config_type, values, source="command line")


def evaluate(place: str, run_folder: Path, data: list[str] | None = None) -> dict[str, Any]:
    """Scores a run, on its validation data or on `data`, and prints the metrics."""
    app = load_app(place)
    from shared.engine.run import load_best, open_run
    from shared.engine.train import write_evaluation

    run = open_run(app, run_folder)
    if data:
        app.replace_validation_data(run, data)
    model = load_best(app, run)
    metrics = write_evaluation(app, run, model, "evaluation" if data else "")
    for name, value in metrics.items():
        if isinstance(value, (int, float)):
            console.print(f"{name:24} {value:.6g}")
    place = run.folder / "evaluation" if data else run.folder
    console.print(f"Pictures, pages and metrics.json are in {escape(str(place))}.")
    return metrics


def export(place: str, run_folder: Path, root: Path, name: str = "") -> dict[str, Path]:
    """Exports a run's best model as SavedModels and prints where they are."""
    app = load_app(place)
    from shared.engine.export import check_target
    from shared.engine.export import export as run_export
    from shared.engine.run import load_best, open_run

    run = open_run(app, run_folder)
    check_target(root / app.name)
    paths = run_export(app, run, load_best(app, run), root, name=name or None)
    for path in paths.values():
        console.print(
            f"[bold]Exported[/bold] {escape(str(path))}, verified in a fresh process. Next:\n"
            f"  kerasuite {_command(app.name)} predict {escape(str(path))} FOLDER "
            f"--output predictions"
        )
    return paths


def predict(
    place: str,
    model: Path,
    inputs: list[str],
    output: Path,
    *,
    batch_size: int,
    format: str,
    limit: int,
    shard: str,
    threads: int,
    resume: bool,
    **options: Any,
) -> None:
    """Applies a SavedModel to files and folders; exits with 3 if some were rejected."""
    app = load_app(place)
    from shared.engine.export import saved_model_for
    from shared.engine.inputs import find_inputs
    from shared.engine.predict import predict as run_predict

    saved_model = saved_model_for(app, model)
    predictor = app.predictor(saved_model, **options)
    sources = find_inputs(
        inputs, predictor.suffixes, output=output, limit=limit or None, shard=shard or None
    )
    summary = run_predict(
        saved_model,
        sources,
        predictor,
        output,
        batch_size=batch_size,
        format=format,
        resume=resume,
        shard=shard or None,
        threads=threads,
    )
    rejected = f", {summary.rejected} rejected (see errors.jsonl)" if summary.rejected else ""
    console.print(
        f"[bold]Done[/bold]: {summary.done} predicted{rejected} "
        f"in {_duration(summary.seconds)}. Results are in {escape(str(output))}."
    )
    if summary.rejected:
        raise typer.Exit(SOME_REJECTED)


def check(place: str, config_type: type[RunConfig], data: list[str], overrides: dict) -> None:
    """Prints what is in the data and what is wrong with it; exits with 3 if something is."""
    config = configs.resolve(config_type, overrides | {"data": tuple(data)})
    app = load_app(place)
    contents, problems = app.check(config)
    for line in contents:
        console.print(line, markup=False)
    console.print(f"{len(problems)} problem(s)" if problems else "No problems found.")
    for line in problems[:PROBLEMS_SHOWN]:
        console.print(f"  {line}", markup=False)
    if len(problems) > PROBLEMS_SHOWN:
        console.print(f"  and {len(problems) - PROBLEMS_SHOWN} more")
    if problems:
        raise typer.Exit(SOME_REJECTED)


def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics.json of a run."""
    import json

    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"
