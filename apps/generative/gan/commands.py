"""Commands of `kerasuite gan`."""

from typing import Annotated

import typer

from apps.generative.gan.config import GANConfig
from shared.engine import options, verbs
from shared.engine.task_commands import TaskCommands

APP = "apps.generative.gan.app:GANApp"

Label = Annotated[
    str,
    typer.Option(help="Class of all pictures, of a model with classes. \\[default: all in turn]"),
]

commands = TaskCommands("GAN: pictures from noise, like those in a folder.")
commands.add_train(
    APP, GANConfig, "Train a generator on folders of pictures, with classes by --labels."
)
commands.add_evaluate(
    APP,
    "Score a run: classes covered, Fréchet distance, copies of training pictures.",
    GANConfig,
    only=("evaluation",),
)
commands.add_export(APP, "Export a run as a SavedModel: seeds in, PNG bytes out.")
commands.add_check(
    APP,
    GANConfig,
    "Report what is in the data and what is wrong with it.",
    only=("data_options",),
)


@commands.command()
@options.predict_options(batch_size=64)
def predict(settings: options.PredictOptions):
    """Make a picture of each line of text files: a seed, or a seed, a tab and a class."""
    verbs.predict(APP, settings)


@commands.command()
@options.sample_options()
def sample(settings: options.SampleOptions, label: Label = ""):
    """Make pictures of consecutive seeds, as predict does of a file of them."""
    verbs.sample(APP, settings, label)
