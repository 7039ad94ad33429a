"""The forecast application, as the engine sees it."""

from pathlib import Path

import keras
import tensorflow as tf

from apps.tables.forecast import data, windows
from apps.tables.forecast.config import ForecastConfig
from apps.tables.forecast.evaluator import ForecastEvaluator
from apps.tables.forecast.networks.build import build_network
from apps.tables.forecast.predictor import ForecastPredictor
from apps.tables.forecast.schema import FILE, load_schema
from apps.tables.forecast.serving import ForecastServing
from apps.tables.forecast.windows import load_windows
from shared.common import stream
from shared.common.checksums import verify_checksum
from shared.common.splits import TEST, TRAIN, VALIDATION
from shared.engine.app import App
from shared.engine.run import Run
from shared.engine.saved_model.saved_models import extra_folder
from shared.engine.training.optimizer import build_optimizer


class ForecastApp(App):
    """Time series to their next steps: linear, recurrent and Transformer networks."""

    name = "forecast"
    config_class = ForecastConfig
    monitor = ("val_mse", "min")
    independent_rows = True
    validation = "the windows of the test part, or of the validation part where there is none"
    reference = "naive"
    limits = (
        "`mse` and `mae` are of values less their means, over their deviations in the training "
        "part, as papers give them; those with `real` are in the units of the data. The figures "
        "that begin with `naive` are those of forecasts that take no training: `naive` repeats the "
        "last value, `naive_seasonal` the last season. Where one of them is better, use it; of "
        "series that are near a random walk, such as exchange rates, none may be better than the "
        "last value, and a smaller error on one test part proves little. `mase` below 1 means "
        "smaller errors than those of the seasonal naive forecast, one step ahead, in the training "
        "part. Values that were filled into gaps are not counted. Forecasts suppose that the "
        "future is like the training part; quantiles are calibrated no better than `coverage` "
        "says, beside `coverage_wanted`."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Reads, splits and cuts the series once."""
        paths = [run.folder / name for name in data.WINDOWS.values()]
        if "targets" not in run.artifacts:
            run.artifacts = data.prepare_windows(run.config, run.folder)
            run.save_artifacts()
        elif run.is_training:
            for path in paths:
                verify_checksum(path)
        self.schema = load_schema(run.folder / FILE)
        self._windows = {
            split: load_windows(run.folder / name) for split, name in data.WINDOWS.items()
        }

    def steps_per_epoch(self, run: Run) -> int:
        return stream.steps_per_epoch(len(self._windows[TRAIN]), run.config.batch_size)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        chosen = self._windows[split]
        if split == TRAIN:
            return windows.training_dataset(chosen, self.schema, run.config, start_step, run.worker)
        return windows.evaluation_dataset(chosen, self.schema, run.config, run.worker)

    def final_split(self, run: Run) -> str:
        return TEST if len(self._windows[TEST]) else VALIDATION

    def unit(self, run: Run) -> str:
        return "windows"

    def replace_validation_data(self, run: Run, data_paths: list[str]) -> None:
        report_folder = run.folder / "evaluation" if run.is_chief else None
        self._windows[self.final_split(run)] = data.other_windows(
            data_paths, run.folder, report_folder
        )

    def check(self, config: ForecastConfig) -> tuple[list[str], list[str]]:
        from apps.tables.forecast.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        network = build_network(config, self.schema)
        network.compile(
            optimizer=build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )
        )
        return network

    # === Results ===

    def evaluator(self, run: Run) -> ForecastEvaluator:
        return self.evaluator_of(run, VALIDATION)

    def evaluator_of(self, run: Run, split: str) -> ForecastEvaluator:
        return ForecastEvaluator(self.schema, self._windows[split])

    def serving(self, run: Run, model: keras.Model) -> dict[str, ForecastServing]:
        return {"": ForecastServing(model, self.schema, run.folder)}

    def predictor(self, saved_model: Path) -> ForecastPredictor:
        return ForecastPredictor(load_schema(extra_folder(saved_model) / FILE))
