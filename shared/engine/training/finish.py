"""The end of a training: the best model's metrics, plots and model card."""

from typing import Any

import keras

from shared.common.files import write_json
from shared.engine.app import App
from shared.engine.run import Run, load_best
from shared.engine.training.card import write_card
from shared.engine.training.evaluate import evaluate
from shared.engine.training.history import read_csv
from shared.engine.training.overview import write_overview
from shared.report import plots


def finish(app: App, run: Run) -> dict[str, Any]:
    """Evaluates the best model and writes metrics, plots and the model card."""
    run.workers.barrier()  # The chief's last write comes before anyone's reading.
    model = load_best(app, run)
    app.calibrate(run, model)
    metrics = write_evaluation(app, run, model)
    if run.is_chief:
        rows = read_csv(run.folder / "history.csv")
        plots.curves(rows, run.folder / "plots" / "curves.png", app.reference)
        write_card(app, run, metrics, app.serving(run, model))
        write_overview(app, run, metrics)
    run.workers.barrier()
    return metrics


def write_evaluation(app: App, run: Run, model: keras.Model, folder: str = "") -> dict[str, Any]:
    """Scores `model`; the chief writes metrics.json and the report's pictures.

    Args:
        app: the application.
        run: the run that the model belongs to.
        model: the model.
        folder: subfolder of the run folder for them; by default the run folder itself.
    """
    metrics, evaluator = evaluate(app, run, model, app.final_split(run))
    if run.is_chief:
        metrics = metrics | evaluator.report(run.folder / folder)
        write_json(run.folder / folder / "metrics.json", metrics)
    return metrics
