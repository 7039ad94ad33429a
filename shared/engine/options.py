"""Command-line options, made once: the shared ones, and one for every configuration leaf.

No TensorFlow here: `--help` of any command has to answer at once.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from shared.common.config import RunConfig, leaves
from shared.common.option_use import is_in

SAVED_MODEL = "savedmodel"  # the format of exports that every task has
NO_QUANTIZATION = "none"

Data = Annotated[list[str], typer.Argument(help="Files or folders with the data.", metavar="DATA")]
TrainingData = Annotated[
    list[str] | None,
    typer.Argument(help="Files or folders with the data.", metavar="DATA", show_default=False),
]
MoreData = Annotated[
    list[str] | None,
    typer.Argument(help="Other data; by default the run's validation part.", metavar="DATA"),
]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a trained run.", metavar="RUN")]
Model = Annotated[
    Path,
    typer.Argument(help="An export, or a run folder (exported first, once).", metavar="MODEL"),
]
Inputs = Annotated[
    list[str],
    typer.Argument(
        help="Files, folders (recursive), globs, or - for standard input.", metavar="INPUT"
    ),
]
Offline = Annotated[
    bool, typer.Option("--offline", help="Ask no server: hf:... is read from this machine's cache.")
]
RunOutput = Annotated[
    Path | None, typer.Option("--output", help="Run folder. \\[default: runs/TASK/NAME]")
]
OutputFolder = Annotated[Path, typer.Option("--output", help="Folder for the results.")]
ExportRoot = Annotated[
    Path, typer.Option("--output", help="Root folder: ROOT/TASK/NAME/VERSION is written.")
]
AnyExportRoot = Annotated[
    Path | None,
    typer.Option(
        "--output",
        help="Root folder: ROOT/TASK/NAME/VERSION is written. "
        "\\[default: saved_models, or exports/FORMAT]",
    ),
]
ExportFormat = Annotated[
    typing.Literal["savedmodel", "onnx", "keras", "litert"],
    typer.Option("--format", help="All but savedmodel hold the network alone."),
]
Quantize = Annotated[
    typing.Literal["none", "int8"],
    typer.Option(
        help="int8, for --format litert: calibrated on the training data; the metrics before and "
        "after are printed."
    ),
]
Name = Annotated[str, typer.Option(help="Name of the model. \\[default: the run folder's]")]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="YAML file with values for the options below.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue what is in --output.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the predictions that are in --output.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Inputs per model call.")]
Limit = Annotated[int, typer.Option(min=0, help="Stop after this many inputs; 0 takes all.")]
Shard = Annotated[
    str,
    typer.Option(
        help="K/N: predict part K of N; the last part to end joins the results.", metavar="K/N"
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads that prefetch inputs.")]
Table = Annotated[
    typing.Literal["jsonl", "csv"],
    typer.Option("--format", help="csv also writes predictions.csv, at the end."),
]
Label = Annotated[str, typer.Option(help="Class to explain. \\[default: the predicted one]")]
MaxPixels = Annotated[
    int, typer.Option(min=1, help="Larger images are rejected by their header, before decoding.")
]


@dataclass(frozen=True)
class PredictOptions:
    """The options of batch inference that every task has; `predict_options` adds them."""

    model: Model
    inputs: Inputs
    output: OutputFolder = Path("predictions")
    batch_size: BatchSize = 32
    format: Table = "jsonl"
    limit: Limit = 0
    shard: Shard = ""
    threads: Threads = 4
    resume: Resume = False
    overwrite: Overwrite = False


SampleCount = Annotated[int, typer.Option(min=1, help="Pictures to make.")]
FirstSeed = Annotated[
    int, typer.Option(min=0, help="Seed of the first picture; the next ones follow it.")
]


@dataclass(frozen=True)
class SampleOptions:
    """The options of `sample` that every generator of pictures has; `sample_options` adds them."""

    model: Model
    output: OutputFolder = Path("pictures")
    count: SampleCount = 64
    seed: FirstSeed = 1
    batch_size: BatchSize = 64
    resume: Resume = False
    overwrite: Overwrite = False


def sample_options(**defaults: Any) -> Callable:
    """Decorates a command with the arguments and options of making pictures from seeds.

    Args:
        **defaults: defaults of this task that differ from those of `SampleOptions`.
    """
    return field_options(SampleOptions, "settings", **defaults)


def predict_options(**defaults: Any) -> Callable:
    """Decorates a command with the arguments and options of batch inference.

    The command takes `settings`, a `PredictOptions`, and its own options.

    Args:
        **defaults: defaults of this task that differ from those of `PredictOptions`.
    """
    return field_options(PredictOptions, "settings", **defaults)


def field_options(group: type, name: str, **defaults: Any) -> Callable:
    """Decorates a command with an argument or option for every field of a dataclass.

    Args:
        group: the dataclass.
        name: parameter of the command that takes an instance of it.
        **defaults: defaults of this command that differ from those of the dataclass.
    """

    def decorate(function: Callable) -> Callable:
        own = [p for p in inspect.signature(function).parameters.values() if p.name != name]
        fields = dataclasses.fields(group)

        @functools.wraps(function)
        def command(**values: Any) -> Any:
            given = group(**{field.name: values.pop(field.name) for field in fields})
            return function(**{name: given}, **values)

        sign(command, [*(_field_parameter(field, defaults) for field in fields), *own])
        return command

    return decorate


def _field_parameter(field: dataclasses.Field, defaults: dict[str, Any]) -> inspect.Parameter:
    default = inspect.Parameter.empty
    if field.default is not dataclasses.MISSING:
        default = defaults.get(field.name, field.default)
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=field.type
    )


def config_options(
    config_type: type[RunConfig],
    skip: tuple[str, ...] = ("data",),
    only: tuple[str, ...] | None = None,
) -> Callable:
    """Decorates a command with one option for every leaf of a configuration class.

    The command takes `overrides`, a dict of dotted leaf path to value, in which only the
    options given on the command line stand.

    Args:
        config_type: the configuration class.
        skip: leaves that are not options; the data are positional.
        only: groups ("data_options") and leaves ("model.scale") that are options, by default all.
    """

    def decorate(function: Callable) -> Callable:
        signature = inspect.signature(function)
        own = [p for name, p in signature.parameters.items() if name != "overrides"]
        paths, added = {}, []
        for path, name, annotation, help_text, default in leaves(config_type):
            if name in skip or (only is not None and not is_in(path, only)):
                continue
            if name in paths or name in signature.parameters:
                raise ValueError(f"two options would be called --{name}: rename '{path}'")
            paths[name] = path
            if known := {"preset": config_type.presets, "metric": config_type.metrics}.get(path):
                help_text += f" One of {', '.join(known)}."
            added.append(_parameter(path, name, annotation, help_text, default))

        @functools.wraps(function)
        def command(**values: Any) -> Any:
            given = {path: values.pop(name) for name, path in paths.items()}
            given = {path: value for path, value in given.items() if value not in (None, [])}
            return function(**values, overrides=given)

        sign(command, [*own, *added])
        return command

    return decorate


def sign(command: Callable, parameters: list[inspect.Parameter]) -> None:
    """Gives a command the signature that Typer reads its options from; all are keywords."""
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {p.name: p.annotation for p in parameters}


def _parameter(path, name, annotation, help_text, default) -> inspect.Parameter:
    if typing.get_origin(annotation) is tuple:
        annotation = list[typing.get_args(annotation)[0]]
    group = path.rpartition(".")[0]
    option = typer.Option(
        help=help_text + _shown(default),
        show_default=False,
        rich_help_panel=f"{group.removesuffix('_options') or 'run'} options".replace(
            "_", " "
        ).capitalize(),
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[annotation | None, option],
    )


def _shown(default: Any) -> str:
    """The default as Typer would show it; the parameter's own default is "not given"."""
    if default in ("", (), None):
        return ""
    if isinstance(default, bool):
        default = "on" if default else "off"
    return escape(f" [default: {default}]")
