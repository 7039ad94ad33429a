"""Commands of `kerasuite table`."""

from apps.tables.perceptrons.config import TableConfig
from shared.engine import options, verbs
from shared.engine.task_commands import TaskCommands

APP = "apps.tables.perceptrons.app:TableApp"

commands = TaskCommands("Tables: perceptrons, residual networks and Transformers on rows.")
commands.add_train(
    APP,
    TableConfig,
    "Train a network on the rows of CSV, TSV, JSON or Parquet files.",
)
commands.add_evaluate(APP, "Score a run beside gradient-boosted trees; importances and plots.")
commands.add_export(APP, "Export a run as a SavedModel: cells as they stand in a file in.")
commands.add_check(
    APP,
    TableConfig,
    "Report what is in a table, the kinds of its columns, and what is wrong with it.",
    only=("data_options",),
)


@commands.command()
@options.predict_options(batch_size=1024)
def predict(settings: options.PredictOptions):
    """Predict the target of each row of tables."""
    verbs.predict(APP, settings)
