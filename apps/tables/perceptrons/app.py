"""The table application, as the engine sees it."""

from pathlib import Path

import keras
import tensorflow as tf

from apps.tables.perceptrons import data, rows
from apps.tables.perceptrons.columns.schema import FILE, load_schema
from apps.tables.perceptrons.config import TableConfig
from apps.tables.perceptrons.evaluation.explanation import Explanation
from apps.tables.perceptrons.evaluation.trees import trees_metrics
from apps.tables.perceptrons.evaluator import TableEvaluator
from apps.tables.perceptrons.networks.build import build_network
from apps.tables.perceptrons.predictor import TablePredictor
from apps.tables.perceptrons.rows import load_rows
from apps.tables.perceptrons.serving import LABELS, TableServing
from shared.common import stream
from shared.common.checksums import verify_checksum
from shared.common.files import write_text
from shared.common.messages import warn
from shared.common.splits import TRAIN, VALIDATION
from shared.engine.app import App
from shared.engine.run import Run
from shared.engine.saved_model.saved_models import extra_folder
from shared.engine.training.optimizer import build_optimizer
from shared.text.tables.table import Table


class TableApp(App):
    """Rows of a table to a class or numbers: perceptrons, residual networks, FT-Transformer."""

    name = "table"
    config_class = TableConfig
    monitor = ("val_loss", "min")
    validation = "the held-out rows"
    reference = "trees"
    limits = (
        "The figures that begin with `trees` are those of scikit-learn's HistGradientBoosting with "
        "its defaults, fitted to the same rows: where they are better, use trees. The epoch was "
        "chosen by the held-out rows, which flatters the network. Probabilities are calibrated no "
        "better than `calibration_error` says, and not at all with the losses hinge and "
        "perceptron. A category that was rare or is new counts as one and the same; a number "
        "beyond those of the training rows is a guess. Importance and partial dependence tell "
        "what the network uses, not what causes what; of columns that go together, each may seem "
        "unimportant."
    )

    # === Data ===

    def prepare(self, run: Run) -> None:
        """Reads, splits and encodes the rows once, and fits the trees."""
        paths = {split: run.folder / name for split, name in data.ROWS.items()}
        if "trees" not in run.artifacts:
            artifacts = data.prepare_rows(run.config, run.folder)
            self.schema = load_schema(run.folder / FILE)
            self._rows = {split: load_rows(path) for split, path in paths.items()}
            run.artifacts = artifacts | {"trees": self._measure_trees(run)}
            run.save_artifacts()
        elif run.is_training:
            for path in paths.values():
                verify_checksum(path)
        self.schema = load_schema(run.folder / FILE)
        self._rows = {split: load_rows(path) for split, path in paths.items()}
        self._trees = run.artifacts["trees"]
        self._table: Table | None = None
        self._network: keras.Model | None = None

    def _measure_trees(self, run: Run) -> dict[str, float]:
        found = trees_metrics(
            self.schema, self._rows[TRAIN], self._rows[VALIDATION], run.config.seed
        )
        if not found:
            warn("no trees are fitted to compare with: there is one class only, or very many")
        return found

    def steps_per_epoch(self, run: Run) -> int:
        return stream.steps_per_epoch(len(self._rows[TRAIN]), run.config.batch_size)

    def dataset(self, run: Run, split: str, start_step: int = 0) -> tf.data.Dataset:
        chosen, target = self._rows[split], self.schema.target
        if split == TRAIN:
            return rows.training_dataset(chosen, target, run.config, start_step, run.worker)
        return rows.evaluation_dataset(chosen, target, run.config, run.worker)

    def unit(self, run: Run) -> str:
        return "rows"

    def replace_validation_data(self, run: Run, data_paths: list[str]) -> None:
        report_folder = run.folder / "evaluation" if run.is_chief else None
        self._table, self._rows[VALIDATION] = data.other_rows(data_paths, run.folder, report_folder)
        self._trees = self._measure_trees(run)

    def check(self, config: TableConfig) -> tuple[list[str], list[str]]:
        from apps.tables.perceptrons.check import describe

        return describe(config)

    # === Model ===

    def build(self, run: Run) -> keras.Model:
        config = run.config
        network = build_network(
            config, self.schema, synchronized=run.strategy.num_replicas_in_sync > 1
        )
        network.compile(
            optimizer=build_optimizer(
                config.optimization, config.learning_rate, max(run.total_steps, 1)
            )
        )
        self._network = network
        return network

    # === Results ===

    def evaluator(self, run: Run) -> TableEvaluator:
        explanation = Explanation(
            self._network, self.schema, self._rows[VALIDATION], run.folder, run.config.seed
        )
        names = [column.name for column in self.schema.inputs]

        def read_cells(indices):
            if self._table is None:
                return data.read_held_out(run.folder / data.HELD_OUT, names, indices)
            return [[self._table.columns[name][index] for name in names] for index in indices]

        return TableEvaluator(self.schema, self._trees, explanation, read_cells)

    def serving(self, run: Run, model: keras.Model) -> dict[str, TableServing]:
        names = self.schema.target.classes
        if names:
            write_text(run.folder / LABELS, "".join(f"{name}\n" for name in names))
        return {"": TableServing(model, self.schema, run.folder)}

    def predictor(self, saved_model: Path) -> TablePredictor:
        return TablePredictor(load_schema(extra_folder(saved_model) / FILE))
