"""Commands of `kerasuite cyclegan`."""

from typing import Annotated, Literal

import typer

from apps.generative.cyclegan.config import CycleGANConfig
from shared.engine import options, verbs
from shared.engine.task_commands import TaskCommands

APP = "apps.generative.cyclegan.app:CycleGANApp"

Direction = Annotated[
    Literal["a2b", "b2a"] | None,
    typer.Option(help="Needed for a run folder, and for a model whose name has no -a2b or -b2a."),
]

commands = TaskCommands(
    "CycleGAN: a folder with trainA trainB (testA testB), or the folders of two domains."
)
commands.add_train(
    APP,
    CycleGANConfig,
    "Train both directions and leave a run folder with metrics, pictures and a model card.",
)
commands.add_evaluate(
    APP,
    "Score a run: cycle and identity L1, a domain classifier's judgement, FID and KID.",
    CycleGANConfig,
    only=("evaluation",),
)
commands.add_export(
    APP,
    "Export a SavedModel for each direction: image bytes in, PNG bytes of the same size out.",
    formats=True,
)
commands.add_check(
    APP,
    CycleGANConfig,
    "Report what is in the data and what is wrong with it.",
    only=("data_options",),
)


# A generator keeps 64 channels of every pixel of an image: about a GiB for each million.
@commands.command()
@options.predict_options(batch_size=4)
def predict(
    settings: options.PredictOptions,
    direction: Direction = None,
    max_pixels: options.MaxPixels = 4_000_000,
):
    """Translate images to PNG: listed in predictions.jsonl, bad files in errors.jsonl."""
    verbs.predict(APP, settings, key=direction, direction=direction, max_pixels=max_pixels)
