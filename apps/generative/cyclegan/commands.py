"""Commands of `kerasuite cyclegan`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from apps.generative.cyclegan.config import CycleGANConfig
from shared.engine import options, verbs

APP = "apps.generative.cyclegan.app:CycleGANApp"

Direction = Annotated[
    Literal["a2b", "b2a"] | None,
    typer.Option(help="Which way; a run folder and a name without -a2b or -b2a need it."),
]
# A generator keeps 64 channels of every pixel of an image: about a GiB for each million.
MaxPixels = Annotated[
    int, typer.Option(min=1, help="Larger images are rejected by their header, before decoding.")
]

commands = typer.Typer(
    no_args_is_help=True,
    help="CycleGAN: a folder with trainA trainB (testA testB), or the folders of two domains.",
)


@commands.command()
@options.config_options(CycleGANConfig)
def train(
    data: options.TrainingData = None,
    output: options.RunOutput = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    debug: options.Debug = False,
    overrides=None,
):
    """Trains both directions and leaves a run folder with metrics, pictures and a model card."""
    verbs.train(APP, CycleGANConfig, data or [], output, config, resume, overrides)


@commands.command()
@options.config_options(CycleGANConfig, only=("evaluation",))
def evaluate(
    run: options.RunFolder,
    data: options.MoreData = None,
    debug: options.Debug = False,
    overrides=None,
):
    """Scores a run: cycle and identity L1, what a domain classifier says, FID and KID."""
    verbs.evaluate(APP, run, data, overrides)


@commands.command()
def export(
    run: options.RunFolder,
    output: options.ExportRoot = Path("saved_models"),
    name: options.Name = "",
    debug: options.Debug = False,
):
    """Exports a SavedModel for each direction: image bytes in, PNG bytes of the same size out."""
    verbs.export(APP, run, output, name)


@commands.command()
def predict(
    model: options.Model,
    inputs: options.Inputs,
    output: options.OutputFolder = Path("predictions"),
    direction: Direction = None,
    batch_size: options.BatchSize = 4,
    format: options.Table = "jsonl",
    limit: options.Limit = 0,
    shard: options.Shard = "",
    threads: options.Threads = 4,
    max_pixels: MaxPixels = 4_000_000,
    resume: options.Resume = False,
    debug: options.Debug = False,
):
    """Translates images to PNG files; predictions.jsonl lists them, errors.jsonl the bad files."""
    verbs.predict(
        APP,
        model,
        inputs,
        output,
        batch_size=batch_size,
        format=format,
        limit=limit,
        shard=shard,
        threads=threads,
        resume=resume,
        key=direction,
        direction=direction,
        max_pixels=max_pixels,
    )


@commands.command()
@options.config_options(CycleGANConfig, only=("data_options",))
def check(data: options.Data, debug: options.Debug = False, overrides=None):
    """Reports what is in the data and what is wrong with it."""
    verbs.check(APP, CycleGANConfig, data, overrides)
