"""Commands of `kerasuite srgan`."""

from typing import Annotated

import typer

from apps.generative.srgan.config import SrganConfig
from shared.engine import options, verbs
from shared.engine.task_commands import TaskCommands

APP = "apps.generative.srgan.app:SrganApp"

commands = TaskCommands("Super-resolution: a folder of images, or pairs in HR and LR.")
commands.add_train(
    APP,
    SrganConfig,
    "Train one stage and leave a run folder; --init RUN starts the second from the first.",
)
commands.add_evaluate(
    APP, "Score a run: PSNR, SSIM and sharpness beside bicubic, and pictures side by side."
)
commands.add_export(
    APP,
    "Export a run as a SavedModel: image bytes in, PNG bytes of the enlarged image out.",
    formats=True,
)
commands.add_check(
    APP,
    SrganConfig,
    "Report what is in the data and what is wrong with it.",
    only=("model.scale", "data_options.crop_size", "data_options.max_pixels"),
)


@commands.command()
@options.predict_options(batch_size=1, threads=2)
def predict(
    settings: options.PredictOptions,
    memory: Annotated[
        float, typer.Option(help="GiB that one call may take; larger images go by tiles.", min=0)
    ] = 0.75,
    overlap: Annotated[
        int | None,
        typer.Option(help="Pixels that tiles share. \\[default: no seam is left]", min=0),
    ] = None,
    max_pixels: options.MaxPixels = 100_000_000,
):
    """Enlarge images to PNG of the same relative path; alpha and 16 bits are kept."""
    verbs.predict(APP, settings, max_pixels=max_pixels, memory=memory, overlap=overlap)
