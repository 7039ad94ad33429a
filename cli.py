"""The command `kerasuite`: one group of commands for each task.

Groups are imported when they are used, and TensorFlow only when work starts, so that help
answers at once.
"""

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from shared.common.command_help import Command, Group
from shared.common.errors import Interrupted, KerasuiteError, from_os_error
from shared.common.files import printable
from shared.common.signals import end_on_signals, signal_of_end
from shared.common.standard_streams import make_streams_safe, refuse_output_not_utf8
from shared.engine.distribution.launch import end_with_launcher

# Command name to (import path of its Typer app, help line).
GROUPS = {
    "embed": ("apps.embeddings.commands:commands", "Word embeddings: word2vec and GloVe."),
    "detect": ("apps.vision.detection.commands:commands", "Object detection, YOLO style."),
    "classify": ("apps.vision.classification.commands:commands", "Image classification."),
    "translate": ("apps.translation.commands:commands", "Translation of text."),
    "lm": ("apps.language.commands:commands", "Language models that write."),
    "bert": ("apps.bert.commands:commands", "BERT: pretrain, fine-tune, distil into TinyBERT."),
    "table": (
        "apps.tables.perceptrons.commands:commands",
        "Tables: rows to classes or numbers.",
    ),
    "forecast": (
        "apps.tables.forecast.commands:commands",
        "Time series: their next steps.",
    ),
    "gan": ("apps.generative.gan.commands:commands", "Pictures from noise."),
    "autoencoder": (
        "apps.generative.autoencoder.commands:commands",
        "Codes from pictures, and pictures from codes.",
    ),
    "cyclegan": (
        "apps.generative.cyclegan.commands:commands",
        "Translation of images without pairs.",
    ),
    "srgan": ("apps.generative.srgan.commands:commands", "Super-resolution of images."),
}

Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")]

# Help panels of the root page.
TASKS, TOOLS = "Tasks", "Tools"


class LazyGroup(Group):
    """Lists all groups and imports the one that is used."""

    def resolve_command(self, ctx, args):
        if args and args[0] in GROUPS:
            import_path, help_line = GROUPS[args[0]]
            module, _, name = import_path.partition(":")
            group = typer.main.get_command(getattr(importlib.import_module(module), name))
            group.name, group.help = args[0], help_line
            self.commands[args[0]] = group
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Deep-learning applications on Keras 3 and TensorFlow, from raw files to SavedModels.",
    rich_markup_mode="rich",
)
for _name, (_, _help) in GROUPS.items():
    app.add_typer(
        typer.Typer(no_args_is_help=True, add_completion=False),
        name=_name,
        help=_help,
        rich_help_panel=TASKS,
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"kerasuite {version('kerasuite')}")
        raise typer.Exit()


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Deep-learning applications on Keras 3 and TensorFlow, from raw files to SavedModels."""


@app.command(cls=Command, rich_help_panel=TOOLS)
def demo(
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks to show.", metavar="TASK")
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder for the page and all runs.")] = Path(
        "runs/demo"
    ),
    debug: Debug = False,
) -> None:
    """Run all applications end to end on offline samples and write a page of results."""
    from apps.demo import run_demo

    typer.echo(f"The page is {run_demo(output, tasks or [])}")


@app.command(cls=Command, rich_help_panel=TOOLS)
def samples(
    name: Annotated[
        str, typer.Argument(help="Name of a sample; without one, lists them.", metavar="NAME")
    ] = "",
    folder: Annotated[Path | None, typer.Argument(help="New folder.", metavar="DIR")] = None,
    debug: Debug = False,
) -> None:
    """Make an offline sample data set."""
    from shared.samples.registry import SAMPLES, write_sample

    if not name:
        for sample, (_, what) in SAMPLES.items():
            typer.echo(f"{sample:20} {what}")
        return
    folder = folder or Path(name)
    typer.echo(f"{folder}: {write_sample(name, folder)}")


@app.command(cls=Command, rich_help_panel=TOOLS)
def weights(
    task: Annotated[str, typer.Argument(help="Only for this task.", metavar="TASK")] = "",
    debug: Debug = False,
) -> None:
    """List published weights that can be loaded: size, licence, figure, and the line to type."""
    from shared.common.published_weights import as_text

    typer.echo(as_text(task))


@app.command(cls=Command, rich_help_panel=TOOLS)
def inspect(
    model: Annotated[Path, typer.Argument(help="A SavedModel or a run folder.", metavar="MODEL")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    debug: Debug = False,
) -> None:
    """Show the contents of a model: signatures, sizes, configuration, metrics."""
    from shared.common.console import console
    from shared.engine.saved_model import inspect as inspection

    if json:
        console.print_json(data=inspection.describe(model))
    else:
        console.print(inspection.inspect(model))


@app.command(cls=Command, rich_help_panel=TOOLS)
def devices(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
    debug: Debug = False,
) -> None:
    """Show the processors, GPUs and workers that TensorFlow sees, and those it would use."""
    from shared.common.quiet import import_tensorflow

    import_tensorflow()
    from shared.engine.distribution import devices as seen

    if json:
        from shared.common.console import console

        console.print_json(data=seen.describe())
    else:
        typer.echo(seen.as_text())


@app.command(
    cls=Command,
    rich_help_panel=TOOLS,
    context_settings={"allow_interspersed_args": False},
)
def launch(
    command: Annotated[
        list[str], typer.Argument(help="TASK VERB and its options, after --.", metavar="COMMAND")
    ],
    workers: Annotated[int, typer.Option(help="Workers to start here.", min=0)] = 0,
    hosts: Annotated[
        str, typer.Option(help="Addresses of all workers, host:port,host:port; the chief's first.")
    ] = "",
    index: Annotated[
        int | None, typer.Option(help="Start only this one of --hosts on this machine.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Train, evaluate or predict on several workers: one command, one result."""
    from shared.engine.distribution.launch import launch as start_workers

    if not workers and not hosts:
        raise KerasuiteError(
            "launch: give their number with --workers N or their addresses with --hosts"
        )
    raise typer.Exit(start_workers(command, workers, hosts, index))


def main() -> None:
    """Runs the command line; the exit codes are those of `shared.common.errors`."""
    # Before Keras is imported: the user's own setting may name another backend.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    make_streams_safe()
    end_on_signals()
    end_with_launcher()
    try:
        refuse_output_not_utf8(sys.argv)
        _run_to_end()
    except (KerasuiteError, Interrupted) as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(str(from_os_error(error)), KerasuiteError.exit_code)
    except UnicodeEncodeError as error:
        # A surrogate stands for a byte of a file's name that is not UTF-8.
        _fail(f"{error.object[:200]!r}: a name that is not UTF-8; rename the file or folder", 1)
    except Exception as error:
        if type(error).__name__ == "ResourceExhaustedError":
            _fail("out of memory; lower --batch-size or the size of the inputs", 1)
        what = str(error).strip().splitlines() or [""]
        _fail(
            f"internal error, {type(error).__name__}: {what[0][:300]} "
            f"(run again with --debug for the traceback)",
            KerasuiteError.exit_code,
        )


def _run_to_end() -> None:
    """Runs the command; a signal ends it, whatever became of its exception on the way."""
    try:
        app()
    except (Interrupted, Exception) as error:
        if (number := signal_of_end()) is not None and not isinstance(error, Interrupted):
            raise Interrupted(number, "interrupted") from error
        raise
    finally:
        number = signal_of_end()
    if number is not None:
        raise Interrupted(number, "interrupted")


def _fail(message: str, exit_code: int) -> None:
    if "--debug" in sys.argv:
        traceback.print_exc()
    print(f"kerasuite: {printable(message)}", file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
