"""Commands of `kerasuite classify`."""

from pathlib import Path

from apps.vision.classification.config import ClassifyConfig
from shared.engine import options, verbs
from shared.engine.load_app import load_app
from shared.engine.task_commands import TaskCommands

APP = "apps.vision.classification.app:ClassifyApp"

commands = TaskCommands(
    "Image classification: a folder per class, or a CSV with path,label; one label or several."
)
commands.add_train(
    APP,
    ClassifyConfig,
    "Train a classifier and leave a run folder with metrics, plots and a model card.",
)
commands.add_evaluate(
    APP, "Score a run: top-1, top-5, precision, recall, F1, confusion, confident mistakes."
)
commands.add_export(
    APP,
    "Export a run as a SavedModel: image bytes in, labels and probabilities out.",
    formats=True,
)
commands.add_check(
    APP,
    ClassifyConfig,
    "Report what is in the data and what is wrong with it.",
    only=("data_options.max_pixels",),
)


@commands.command()
@options.predict_options()
def predict(settings: options.PredictOptions, max_pixels: options.MaxPixels = 100_000_000):
    """Label images: a line for each in predictions.jsonl, bad files in errors.jsonl."""
    verbs.predict(APP, settings, max_pixels=max_pixels)


@commands.command()
def explain(
    run: options.RunFolder,
    inputs: options.Inputs,
    output: options.OutputFolder = Path("explanations"),
    label: options.Label = "",
    limit: options.Limit = 0,
):
    """Paint Grad-CAM overlays: which part of each image speaks for its label."""
    app = load_app(APP)
    from apps.vision.classification.explain import explain_inputs

    explain_inputs(app, run, inputs, output, label, limit)
