"""Implementation of the verbs `train evaluate export predict check` for every application.

The command files of the applications call these with the import path of their App class, which is
imported only here: the command line itself stays free of TensorFlow.
"""

import contextlib
import time
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from shared.common import config as configs
from shared.common.config import RunConfig
from shared.common.console import console
from shared.common.errors import SOME_REJECTED, KerasuiteError
from shared.common.files import printable
from shared.common.messages import warn
from shared.common.progress import duration
from shared.common.task_names import command_group, training_command
from shared.engine.distribution.cluster import find_cluster
from shared.engine.load_app import load_app
from shared.engine.options import NO_QUANTIZATION, SAVED_MODEL, PredictOptions, SampleOptions
from shared.engine.run_folder import may_write, refuse_to_overwrite

# What may change when a run is resumed: how long and on what, not what is computed.
CHANGEABLE_ON_RESUME = (
    "epochs",
    "strategy",
    "devices",
    "validate_every",
    "checkpoint_every",
    "keep",
    "optimization.patience",
)

PROBLEMS_SHOWN = 50


def train(
    app_path: str,
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
            raise KerasuiteError(f"{training_command(config.task)}: name the DATA to train on")
        config.refuse_mistakes()
        folder = output or _new_folder(config)
    try:
        return _train(app_path, config, folder, resume)
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # If nothing was written into it.


def _train(app_path: str, config: RunConfig, folder: Path, resume: bool) -> Path:
    if may_write(config):
        refuse_to_overwrite(folder, resume)
    started = time.perf_counter()
    app = load_app(app_path)
    from shared.engine.run import read_metrics
    from shared.engine.training.history import format_metrics
    from shared.engine.training.train import train as run_training

    _say_of_gpu(config.devices)
    run = run_training(app, config, folder, resume)
    if not run.is_chief:
        return folder
    figures, shown = format_metrics(read_metrics(run.folder)), escape(str(folder))
    judged = f"On {app.validation}: {figures}" if figures else f"No figures on {app.validation}."
    console.print(
        f"[bold]Done[/bold] in {duration(time.perf_counter() - started)}. {judged}\n"
        f"Everything is in {shown}; look at {shown}/index.html first. Next:\n"
        f"  kerasuite {command_group(config.task)} export {shown}"
    )
    return folder


def _say_of_gpu(devices: str = "") -> None:
    """Says what a GPU is not used for, or waits for; not where the CPU was asked for."""
    from shared.engine.distribution.gpus import compile_notice, unused_gpu

    if not devices.startswith("cpu"):
        for line in filter(None, (unused_gpu(), compile_notice())):
            warn(line)


def _new_folder(config: RunConfig) -> Path:
    """runs/TASK/NAME; a name that was not chosen by the user is numbered when taken."""
    root = Path("runs") / config.task
    if config.name:
        if Path(config.name).name != config.name or config.name.startswith("."):
            raise KerasuiteError(
                f"--name {config.name}: is the name of one folder, without slashes and no leading "
                f"dot; use --output for a path"
            )
        return root / config.name
    name = config.preset or "default"
    names = (f"{name}-{number}" if number > 1 else name for number in range(1, 10**6))
    return next(root / name for name in names if _is_free(root / name))


def _is_free(folder: Path) -> bool:
    """Whether a folder was not there; makes it, so that no other process takes the same name."""
    if find_cluster() is not None:
        return not folder.exists()
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


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
    for path in overrides:
        if path not in CHANGEABLE_ON_RESUME:
            flag = "--" + path.rpartition(".")[2].replace("_", "-")
            raise KerasuiteError(
                f"{flag}: cannot change when a run is resumed; leave it out or start a new run"
            )
    if data and list(data) != list(config.data):
        raise KerasuiteError(
            f"DATA: the run in {folder} was started on {' '.join(config.data)}; leave DATA out"
        )
    return configs.replaced(config, overrides)


def evaluate(
    app_path: str,
    run_folder: Path,
    data: list[str] | None = None,
    overrides: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Scores a run, on its validation data or on `data`, and prints the metrics.

    `overrides` replace leaves of the run's configuration that say how it is judged.
    """
    app = load_app(app_path)
    from shared.engine.distribution.strategy import create_strategy
    from shared.engine.run import config_of, load_best, open_run
    from shared.engine.training.cpu_data_parallel import enable_cpu_data_parallel
    from shared.engine.training.finish import write_evaluation
    from shared.engine.training.overview import write_overview

    # As in the training, whose metrics come again to the last bit.
    cpu_data_parallel = enable_cpu_data_parallel(config_of(app, run_folder), app.independent_rows)
    strategy = create_strategy(plan={"run": str(run_folder), "data": list(data or [])})
    run = open_run(app, run_folder, strategy)
    run.cpu_data_parallel = cpu_data_parallel
    run.config = configs.replaced(run.config, overrides or {})
    with run.workers.report_lost_workers():
        if data:
            app.replace_validation_data(run, data)
        model = load_best(app, run)
        metrics = write_evaluation(app, run, model, "evaluation" if data else "")
    if not run.is_chief:
        return metrics
    write_overview(app, run, metrics, data or [])
    console.print(f"On {escape(', '.join(data or []) or app.validation)}:")
    for name, value in metrics.items():
        if isinstance(value, (int, float)):
            console.print(f"{name:24} {value:.6g}")
    folder = run.folder / "evaluation" if data else run.folder
    console.print(f"All of it on one page: {escape(str(folder / 'index.html'))}")
    return metrics


def export(
    app_path: str,
    run_folder: Path,
    root: Path | None,
    name: str = "",
    format: str = SAVED_MODEL,
    quantize: str = NO_QUANTIZATION,
) -> dict[str, Path]:
    """Exports a run's best model and prints where it is.

    Args:
        app_path: import path of the `App`.
        run_folder: the run.
        root: folder of all exports; None: the usual one of the format.
        name: of the model; "" for the run's.
        format: "savedmodel", or a name in `network_export.formats.FORMATS`.
        quantize: "none", or "int8" with the format "litert".
    """
    if quantize != NO_QUANTIZATION and format != "litert":
        raise KerasuiteError(f"--quantize {quantize}: is for --format litert; add it")
    cluster = find_cluster()
    if cluster is not None and not cluster.is_chief:
        return {}
    app = load_app(app_path)
    from shared.engine.run import load_best, open_run
    from shared.engine.saved_model.export import export as run_export
    from shared.engine.saved_model.export_target import check_target

    root = root or Path("saved_models" if format == SAVED_MODEL else f"exports/{format}")
    run = open_run(app, run_folder)
    check_target(root / app.name)
    if format == SAVED_MODEL:
        paths = run_export(app, run, load_best(app, run), root, name=name or None)
    else:
        from shared.engine.network_export.export_network import export_network
        from shared.engine.network_export.formats import FORMATS

        FORMATS[format].require()
        model = load_best(app, run)
        int8 = quantize != NO_QUANTIZATION
        paths = export_network(app, run, model, root, format=format, name=name or None, int8=int8)
    for path in paths.values():
        if format != SAVED_MODEL and not app.predicts_networks:
            console.print(
                f"[bold]Exported[/bold] {escape(str(path))}, verified in a fresh process. How a "
                f"program calls it stands in the README.md beside it."
            )
            continue
        console.print(
            f"[bold]Exported[/bold] {escape(str(path))}, verified in a fresh process. Next:\n"
            f"  kerasuite {command_group(app.name)} {app.predict_verb} {escape(str(path))} "
            f"{app.predict_input} --output predictions"
        )
    return paths


def predict(app_path: str, settings: PredictOptions, key: str | None = None, **own: Any) -> None:
    """Applies an exported model to files and folders; exits with 3 if some were rejected.

    Args:
        app_path: import path of the `App`.
        settings: the options that every task has.
        key: which one of the models that a run is exported as.
        **own: options of the task's predictor.
    """
    app = load_app(app_path)
    from shared.common.inputs import find_inputs
    from shared.engine.network_export.open_model import loader
    from shared.engine.prediction.merge_shards import merge_if_last
    from shared.engine.prediction.predict import predict as run_predict
    from shared.engine.saved_model.run_export import saved_model_for

    _say_of_gpu()
    saved_model = saved_model_for(app, settings.model, key)
    predictor = app.predictor(saved_model, **own)
    shard = settings.shard or _shard_of_worker()
    selection = {"output": settings.output, "limit": settings.limit or None}
    sources = find_inputs(settings.inputs, predictor.suffixes, **selection, shard=shard)
    for line in predictor.left_out(settings.inputs):
        warn(line)
    summary = run_predict(
        saved_model,
        sources,
        predictor,
        settings.output,
        batch_size=settings.batch_size,
        format=settings.format,
        resume=settings.resume,
        overwrite=settings.overwrite,
        shard=shard,
        threads=settings.threads,
        load=loader(app, saved_model),
    )
    rejected = f", {summary.rejected} rejected (see errors.jsonl)" if summary.rejected else ""
    console.print(
        f"[bold]Done[/bold]: {summary.done} predicted{rejected} "
        f"in {duration(summary.seconds)}. Results are in {escape(str(settings.output))}."
    )
    if shard:
        everything = find_inputs(settings.inputs, predictor.suffixes, **selection)
        if merge_if_last(settings.output, settings.format, shard, everything, predictor):
            console.print("The results of all parts are joined there.")
    if summary.rejected:
        raise typer.Exit(SOME_REJECTED)


def sample(app_path: str, settings: SampleOptions, label: str = "", **own: Any) -> None:
    """Makes pictures from consecutive seeds: writes them as lines and predicts these.

    Args:
        app_path: import path of the `App`.
        settings: the options that every generator has.
        label: class of all pictures; "" for none, or all in turn.
        **own: options of the task's predictor.
    """
    from shared.engine.prediction.seed_predictor import write_seeds

    output = settings.output
    seeds = write_seeds(output, settings.count, settings.seed, label, settings.overwrite)
    chosen = {"label": label} if label else {}
    predict(
        app_path,
        PredictOptions(
            settings.model,
            [str(seeds)],
            output,
            batch_size=settings.batch_size,
            resume=settings.resume,
            overwrite=settings.overwrite,
        ),
        **chosen,
        **own,
    )


def _shard_of_worker() -> str | None:
    """The part of the inputs that belongs to this worker of a cluster, "K/N"."""
    cluster = find_cluster()
    return None if cluster is None else f"{cluster.index + 1}/{cluster.count}"


def check(app_path: str, config_type: type[RunConfig], data: list[str], overrides: dict) -> None:
    """Prints what is in the data and what is wrong with it; exits with 3 if something is."""
    config = configs.resolve(config_type, overrides | {"data": tuple(data)})
    config.refuse_missing_data()
    app = load_app(app_path)
    contents, problems = app.check(config)
    for line in contents:
        console.print(printable(line), markup=False)
    if not problems:
        console.print("No problems found.")
    report_problems(problems)


def report_problems(problems: list[str]) -> None:
    """Prints what is wrong with data; exits with 3 if something is."""
    if problems:
        console.print(f"{len(problems)} problem(s)")
    for line in problems[:PROBLEMS_SHOWN]:
        console.print(f"  {printable(line)}", markup=False)
    if len(problems) > PROBLEMS_SHOWN:
        console.print(f"  and {len(problems) - PROBLEMS_SHOWN} more")
    if problems:
        raise typer.Exit(SOME_REJECTED)
