"""Commands of `kerasuite classify`."""

from pathlib import Path

import typer

from apps.vision.classification.config import ClassifyConfig
from shared.engine import options, verbs
from shared.engine.load_app import load_app

APP = "apps.vision.classification.app:ClassifyApp"

commands = typer.Typer(
    no_args_is_help=True,
    help="Image classification: a folder per class, or a CSV with path,label.",
)


@commands.command()
@options.config_options(ClassifyConfig)
def train(
    data: options.TrainingData = None,
    output: options.RunOutput = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    debug: options.Debug = False,
    overrides=None,
):
    """Trains a classifier and leaves a run folder with metrics, plots and a model card."""
    verbs.train(APP, ClassifyConfig, data or [], output, config, resume, overrides)


@commands.command()
def evaluate(run: options.RunFolder, data: options.MoreData = None, debug: options.Debug = False):
    """Scores a run: top-1, top-5, precision, recall, F1, confusion, confident mistakes."""
    verbs.evaluate(APP, run, data)


@commands.command()
def export(
    run: options.RunFolder,
    output: options.ExportRoot = Path("saved_models"),
    name: options.Name = "",
    debug: options.Debug = False,
):
    """Exports a run as a SavedModel: image bytes in, labels and probabilities out."""
    verbs.export(APP, run, output, name)


@commands.command()
def predict(
    model: options.Model,
    inputs: options.Inputs,
    output: options.OutputFolder = Path("predictions"),
    batch_size: options.BatchSize = 32,
    format: options.Table = "jsonl",
    limit: options.Limit = 0,
    shard: options.Shard = "",
    threads: options.Threads = 4,
    max_pixels: options.MaxPixels = 100_000_000,
    resume: options.Resume = False,
    debug: options.Debug = False,
):
    """Labels images: predictions.jsonl has one line for each, errors.jsonl the bad files."""
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
    )


@commands.command()
def check(
    data: options.Data,
    max_pixels: options.MaxPixels = 100_000_000,
    debug: options.Debug = False,
):
    """Reports what is in the data and what is wrong with it."""
    verbs.check(APP, ClassifyConfig, data, {"data_options.max_pixels": max_pixels})


@commands.command()
def explain(
    run: options.RunFolder,
    inputs: options.Inputs,
    output: options.OutputFolder = Path("explanations"),
    label: options.Label = "",
    limit: options.Limit = 0,
    debug: options.Debug = False,
):
    """Paints Grad-CAM overlays: which part of each image speaks for its label."""
    app = load_app(APP)
    from apps.vision.classification.explain import explain_inputs

    explain_inputs(app, run, inputs, output, label, limit)
