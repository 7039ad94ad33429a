"""`TaskCommands`: the Typer group of one task, with the verbs whose bodies are alike.

    commands = TaskCommands("Image classification: a folder per class, or a CSV.")
    commands.add_train(APP, ClassifyConfig, "Train a classifier ...")
    commands.add_evaluate(APP, "Score a run: ...")
    commands.add_export(APP, "Export a run as a SavedModel: ...")

    @commands.command()
    @options.predict_options(batch_size=32)
    def predict(settings: options.PredictOptions, max_pixels: options.MaxPixels = 100_000_000):
        \"\"\"Label images.\"\"\"
        verbs.predict(APP, settings, max_pixels=max_pixels)

No TensorFlow here: `--help` of any command has to answer at once.
"""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from shared.common.command_help import Command, Group
from shared.common.config import RunConfig
from shared.engine import options, verbs

# The import path of an `App`, or a function that finds it for a run folder.
AppPath = str | Callable[[Path], str]


class TaskCommands(typer.Typer):
    """The commands of one task; each has `--debug`, which `cli.main` reads.

    Args:
        help: first line of the group's help.
    """

    def __init__(self, help: str):
        super().__init__(cls=Group, no_args_is_help=True, add_completion=False, help=help)

    def command(self, name: str | None = None, **settings: Any) -> Callable:
        """Registers a command as `typer.Typer.command` does, with the option `--debug`."""
        register = super().command(name, cls=Command, **settings)

        def decorate(function: Callable) -> Callable:
            register(_with_debug(function))
            return function

        return decorate

    def add_train(
        self, app_path: str, config_type: type[RunConfig], help: str, verb: str = "train"
    ) -> None:
        """Adds a verb that trains.

        Args:
            app_path: import path of the `App`, "package.module:Class".
            config_type: its configuration, each leaf of which becomes an option.
            help: text of the command's help.
            verb: name of the command.
        """

        @self.command(verb, help=help)
        @options.config_options(config_type)
        def train(
            data: options.TrainingData = None,
            output: options.RunOutput = None,
            config: options.ConfigFile = None,
            resume: options.Resume = False,
            overrides=None,
        ):
            verbs.train(app_path, config_type, data or [], output, config, resume, overrides)

    def add_evaluate(
        self,
        app_path: AppPath,
        help: str,
        config_type: type[RunConfig] = RunConfig,
        only: tuple[str, ...] = (),
    ) -> None:
        """Adds `evaluate RUN [DATA...]`.

        Args:
            app_path: import path of the `App`, or a function from a run folder to it.
            help: text of the command's help.
            config_type: the task's configuration, where some of it can be changed.
            only: its groups and leaves that are options of `evaluate`.
        """

        @self.command("evaluate", help=help)
        @options.config_options(config_type, only=only)
        def evaluate(run: options.RunFolder, data: options.MoreData = None, overrides=None):
            verbs.evaluate(_of(app_path, run), run, data, overrides)

    def add_export(self, app_path: AppPath, help: str, formats: bool = False) -> None:
        """Adds `export RUN`.

        Args:
            app_path: import path of the `App`, or a function from a run folder to it.
            help: text of the command's help.
            formats: whether it has `--format`: the task has networks with fixed inputs.
        """
        if formats:
            self._add_export_in_formats(app_path, help)
            return

        @self.command(help=help)
        def export(
            run: options.RunFolder,
            output: options.ExportRoot = Path("saved_models"),
            name: options.Name = "",
        ):
            verbs.export(_of(app_path, run), run, output, name)

    def _add_export_in_formats(self, app_path: AppPath, help: str) -> None:
        @self.command("export", help=help)
        def export(
            run: options.RunFolder,
            output: options.AnyExportRoot = None,
            name: options.Name = "",
            format: options.ExportFormat = options.SAVED_MODEL,
            quantize: options.Quantize = options.NO_QUANTIZATION,
        ):
            verbs.export(_of(app_path, run), run, output, name, format, quantize)

    def add_check(
        self, app_path: str, config_type: type[RunConfig], help: str, only: tuple[str, ...]
    ) -> None:
        """Adds `check DATA...`.

        Args:
            app_path: import path of the `App`.
            config_type: its configuration.
            help: text of the command's help.
            only: groups and leaves of the configuration that are options of `check`.
        """

        @self.command("check", help=help)
        @options.config_options(config_type, only=only)
        def check(data: options.Data, overrides=None):
            verbs.check(app_path, config_type, data, overrides)


def _of(app_path: AppPath, run: Path) -> str:
    return app_path if isinstance(app_path, str) else app_path(run)


def _with_debug(function: Callable) -> Callable:
    """Adds the parameter `debug`, which is read from the command line as a whole."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def command(*, debug: bool = False, **values: Any) -> Any:
        return function(**values)

    debug = inspect.Parameter(
        "debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=options.Debug
    )
    options.sign(command, [*signature.parameters.values(), debug])
    return command
