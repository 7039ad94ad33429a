"""Commands of `kerasuite srgan`."""

from pathlib import Path
from typing import Annotated

import typer

from apps.generative.srgan.config import SrganConfig
from shared.engine import options, verbs

APP = "apps.generative.srgan.app:SrganApp"

commands = typer.Typer(
    no_args_is_help=True,
    help="Super-resolution: a folder of images, or pairs in HR and LR.",
)

Scale = Annotated[int, typer.Option(help="Factor of enlargement.", min=2, max=4)]
CropSize = Annotated[int, typer.Option(help="Side of the training crops in pixels.", min=8)]


@commands.command()
@options.config_options(SrganConfig)
def train(
    data: options.TrainingData = None,
    output: options.RunOutput = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    debug: options.Debug = False,
    overrides=None,
):
    """Trains one stage and leaves a run folder; --init RUN starts the second from the first."""
    verbs.train(APP, SrganConfig, data or [], output, config, resume, overrides)


@commands.command()
def evaluate(run: options.RunFolder, data: options.MoreData = None, debug: options.Debug = False):
    """Scores a run: PSNR, SSIM and sharpness beside bicubic, and pictures side by side."""
    verbs.evaluate(APP, run, data)


@commands.command()
def export(
    run: options.RunFolder,
    output: options.ExportRoot = Path("saved_models"),
    name: options.Name = "",
    debug: options.Debug = False,
):
    """Exports a run as a SavedModel: image bytes in, PNG bytes of the enlarged image out."""
    verbs.export(APP, run, output, name)


@commands.command()
def predict(
    model: options.Model,
    inputs: options.Inputs,
    output: options.OutputFolder = Path("predictions"),
    memory: Annotated[
        float, typer.Option(help="GiB that one call may take; larger images go by tiles.", min=0)
    ] = 0.75,
    overlap: Annotated[
        int | None,
        typer.Option(help="Pixels that tiles share. [default: no seam is left]", min=0),
    ] = None,
    batch_size: options.BatchSize = 1,
    format: options.Table = "jsonl",
    limit: options.Limit = 0,
    shard: options.Shard = "",
    threads: options.Threads = 2,
    max_pixels: options.MaxPixels = 100_000_000,
    resume: options.Resume = False,
    debug: options.Debug = False,
):
    """Enlarges images to PNG of the same relative path; alpha and 16 bits are kept."""
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
        max_pixels=max_pixels,
        memory=memory,
        overlap=overlap,
    )


@commands.command()
def check(
    data: options.Data,
    scale: Scale = 4,
    crop_size: CropSize = 96,
    max_pixels: options.MaxPixels = 100_000_000,
    debug: options.Debug = False,
):
    """Reports what is in the data and what is wrong with it."""
    given = {
        "model.scale": scale,
        "data_options.crop_size": crop_size,
        "data_options.max_pixels": max_pixels,
    }
    verbs.check(APP, SrganConfig, data, given)
