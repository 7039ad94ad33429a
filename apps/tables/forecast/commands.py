"""Commands of `kerasuite forecast`."""

from apps.tables.forecast.config import ForecastConfig
from shared.engine import options, verbs
from shared.engine.task_commands import TaskCommands

APP = "apps.tables.forecast.app:ForecastApp"

commands = TaskCommands("Forecasts of time series: linear, recurrent and Transformer networks.")
commands.add_train(
    APP,
    ForecastConfig,
    "Train a network on the time series of CSV, TSV, JSON or Parquet files.",
)
commands.add_evaluate(APP, "Score a run beside naive forecasts; a backtest and plots.")
commands.add_export(APP, "Export a run as a SavedModel: a history in, its next steps out.")
commands.add_check(
    APP,
    ForecastConfig,
    "Report the columns, times and gaps of time series, and what is wrong with them.",
    only=("data_options",),
)


@commands.command()
@options.predict_options(batch_size=256)
def predict(settings: options.PredictOptions):
    """Forecast the steps after the last rows of each file, or of each series in it."""
    verbs.predict(APP, settings)
