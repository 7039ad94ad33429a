"""Commands of `kerasuite autoencoder`."""

from pathlib import Path
from typing import Annotated

import typer

from apps.generative.autoencoder.config import AutoencoderConfig
from shared.engine import options, verbs
from shared.engine.load_app import load_module
from shared.engine.task_commands import TaskCommands

APP = "apps.generative.autoencoder.app:AutoencoderApp"

commands = TaskCommands("Autoencoders: a folder of pictures to codes of a few numbers, and back.")
commands.add_train(
    APP,
    AutoencoderConfig,
    "Train an autoencoder and leave a run folder with metrics, pictures and a model card.",
)
commands.add_evaluate(
    APP,
    "Score a run: error, PSNR, bounds, anomalies; map of the codes, walk between pictures.",
    AutoencoderConfig,
    only=("evaluation",),
)
commands.add_export(
    APP, "Export a run as a SavedModel: image bytes in, code, reconstruction and error out."
)
commands.add_check(
    APP,
    AutoencoderConfig,
    "Report what is in the data and what is wrong with it.",
    only=("data_options", "model.code"),
)


@commands.command()
@options.predict_options()
def predict(settings: options.PredictOptions, max_pixels: options.MaxPixels = 100_000_000):
    """Code pictures: codes in predictions.jsonl and codes.npy, reconstructions as PNG files."""
    verbs.predict(APP, settings, max_pixels=max_pixels)


@commands.command()
def search(
    model: options.Model,
    query: Annotated[Path, typer.Argument(help="Picture to look for.", metavar="QUERY")],
    inputs: options.Inputs,
    top: Annotated[int, typer.Option(min=1, help="Number of pictures to show.")] = 10,
    output: Annotated[
        Path | None, typer.Option("--output", help="PNG file to draw them into.")
    ] = None,
):
    """Show the pictures whose codes are nearest to that of QUERY."""
    load_module("apps.generative.autoencoder.search").search(APP, model, query, inputs, top, output)


@commands.command()
@options.sample_options()
def sample(settings: options.SampleOptions):
    """Draw pictures from a variational autoencoder, one for each seed."""
    verbs.sample(APP, settings, from_seeds=True)
