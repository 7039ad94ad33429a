"""The training loop: one for every application.

    run = train(app, config, folder)            a new run
    run = train(app, config, folder, resume=True)

Each epoch: optimiser steps, validation, one row of history, best model, checkpoint. What an
exact resume needs is in `State` and in the variables; the data stream is a function of the
step, so that it needs no state at all.
"""

import contextlib
import dataclasses
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from shared.engine import config as configs
from shared.engine import plots, replicas
from shared.engine.app import App
from shared.engine.card import write_card
from shared.engine.checkpoint import CheckpointFolder, training_variables
from shared.engine.config import RunConfig
from shared.engine.environment import write_environment
from shared.engine.errors import Interrupted, KerasuiteError
from shared.engine.evaluate import ForwardPass, averaged, evaluate
from shared.engine.files import write_json
from shared.engine.history import RunningMeans, TensorBoard, write_csv
from shared.engine.progress import Progress
from shared.engine.run import Run, load_best, save_model
from shared.engine.signals import catch_signals
from shared.engine.strategy import set_up
from shared.engine.train_step import build_train_step, prepare_optimizer
from shared.engine.weight_average import WeightAverage

# A checkpoint at the end of an epoch is left out while it would cost more than this share.
CHECKPOINT_SHARE = 0.03


@dataclasses.dataclass
class State:
    """The loop's own state, kept as JSON in every checkpoint."""

    step: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    sums: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    best: float | None = None
    best_epoch: int = 0


def train(app: App, config: RunConfig, folder: Path, resume: bool = False) -> Run:
    """Trains an application and leaves a complete run folder.

    Args:
        app: the application.
        config: the resolved configuration.
        folder: the run folder; with `resume` one that exists.

    Returns:
        The finished run.

    Raises:
        KerasuiteError: if the data, the folder or the configuration do not allow it.
        Interrupted: after SIGINT or SIGTERM, with a checkpoint.
    """
    folder = Path(folder)
    refuse_to_overwrite(folder, resume)
    CheckpointClock(config.checkpoint_every)  # Refuses a malformed value before it is saved.
    run = Run(config, folder, strategy=set_up(config))
    with nothing_half_made(folder, resume):
        folder.mkdir(parents=True, exist_ok=True)
        configs.save(config, folder / "config.yaml")
        run.load_artifacts()
        app.prepare(run)
        run.steps_per_epoch = app.steps_per_epoch(run)
        write_environment(folder / "environment.json", run.strategy)
        trainer = Trainer(app, run, resume)
    trainer.fit()
    finish(app, run)
    return run


def refuse_to_overwrite(folder: Path, resume: bool) -> None:
    """Makes sure that `train` starts in a new folder and `--resume` in an old one."""
    exists = (folder / "config.yaml").exists()
    if resume and not exists:
        raise KerasuiteError(f"{folder}: holds no run to resume; leave out --resume to start one")
    if exists and not resume:
        raise KerasuiteError(
            f"{folder}: already holds a run; add --resume to continue it or choose another --output"
        )
    if not exists and folder.is_dir() and any(folder.iterdir()):
        raise KerasuiteError(f"{folder}: is not empty and no run; choose another --output")


@contextlib.contextmanager
def nothing_half_made(folder: Path, resume: bool) -> Iterator[None]:
    """Removes the folder of a new run that fails before its first step."""
    try:
        yield
    except BaseException:
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        raise


class Trainer:
    """Trains one run from its first or its checkpointed step to its last."""

    def __init__(self, app: App, run: Run, resume: bool = False):
        self.app, self.run, self.config = app, run, run.config
        optimization = run.config.optimization
        self.checkpoints = CheckpointFolder(run.folder / "checkpoints", run.config.keep)
        with run.strategy.scope():
            self.model = app.build(run)
            # Also when the run was killed before its first checkpoint.
            if not self.checkpoints.paths():
                app.init_weights(run, self.model)
            self.average = WeightAverage(self.model, optimization.ema) if optimization.ema else None
            prepare_optimizer(self.model)
        self.forward = ForwardPass(self.model, run.strategy)
        self.variables = training_variables(self.model, self.average)
        self.clock = CheckpointClock(run.config.checkpoint_every)
        self._trained: tuple[str, ...] | None = None
        self.state = State()
        if resume:
            self._restore()

    def _restore(self) -> None:
        saved = self.checkpoints.load_latest(self.variables)
        if saved is not None:
            self.state = State(**saved)
        write_csv(self.state.history, self.run.folder / "history.csv")

    def fit(self) -> None:
        """Runs the remaining epochs."""
        run, state = self.run, self.state
        board = TensorBoard(run.folder / "tensorboard")
        batches = iter(self.app.dataset(run, "train", state.step))
        with catch_signals() as signals, Progress(run.total_steps, "step", "train") as progress:
            progress.skip(state.step)
            while state.step < run.total_steps and not self._out_of_patience():
                started = time.perf_counter()
                means = self._train_epoch(batches, progress, signals)
                seconds = time.perf_counter() - started
                self._end_epoch(means, seconds, board, progress)
                if self.clock.is_cheap() or signals.raised or state.step == run.total_steps:
                    self._save_checkpoint()
                self._stop_if(signals)

    def _train_epoch(self, batches, progress, signals) -> dict[str, float]:
        run, state = self.run, self.state
        means = RunningMeans(state.sums)
        end = (state.step // run.steps_per_epoch + 1) * run.steps_per_epoch
        step = self._step_of_epoch(state.step // run.steps_per_epoch)
        while state.step < end:
            means.add(step(replicas.split(run.strategy, next(batches))))
            state.step += 1
            progress.advance(1)
            # The last step of an epoch is saved after its validation, in `_end_epoch`.
            if state.step < end and (self.clock.is_due() or signals.raised):
                means.flush()
                state.sums = means.sums
                self._save_checkpoint()
                self._stop_if(signals)
            if progress.is_due():
                progress.text(format_metrics(means.result()))
        state.sums = {}
        return means.result()

    def _step_of_epoch(self, epoch: int):
        """The compiled step; traced again when the epoch froze or unfroze layers."""
        self.app.begin_epoch(self.run, self.model, epoch)
        trained = tuple(v.path for v in self.model.trainable_variables)
        if trained != self._trained:
            self._trained = trained
            self._step = build_train_step(
                self.model, self.run.strategy, self.config.optimization, self.average
            )
        return self._step

    def _end_epoch(self, means, seconds, board, progress) -> None:
        run, state = self.run, self.state
        epoch = state.step // run.steps_per_epoch
        row = {"epoch": epoch, "step": state.step, "learning_rate": self._learning_rate(), **means}
        with averaged(self.average):
            scores, _ = evaluate(self.app, run, self.model, forward=self.forward)
            row |= {f"val_{name}": value for name, value in scores.items()}
            state.history.append(row)
            self._keep_best(row, epoch)
        write_csv(state.history, run.folder / "history.csv")
        rate = run.steps_per_epoch * self.config.batch_size / seconds
        board.write(row, {"examples_per_second": rate})
        progress.log(f"epoch {epoch}/{self.config.epochs}  {format_metrics(row)}  {rate:.0f} ex/s")

    def _stop_if(self, signals) -> None:
        if signals.raised:
            raise Interrupted(
                signals.raised,
                f"interrupted at step {self.state.step}, which is saved; "
                f"continue with --output {self.run.folder} --resume",
            )

    def _keep_best(self, row: dict[str, float], epoch: int) -> None:
        metric, direction = self.app.monitor
        value = row[metric]
        sign = 1 if direction == "max" else -1
        if self.state.best is None or sign * value > sign * self.state.best:
            self.state.best, self.state.best_epoch = value, epoch
            save_model(self.model, self.run.folder / "model.keras")

    def _out_of_patience(self) -> bool:
        patience = self.config.optimization.patience
        epoch = self.state.step // self.run.steps_per_epoch
        return bool(patience) and epoch - self.state.best_epoch >= patience

    def _save_checkpoint(self) -> None:
        started = time.perf_counter()
        self.checkpoints.save(self.state.step, self.variables, dataclasses.asdict(self.state))
        self.clock.saved(time.perf_counter() - started)

    def _learning_rate(self) -> float:
        optimizer = getattr(self.model, "optimizer", None)
        return float(optimizer.learning_rate) if optimizer else 0.0


class CheckpointClock:
    """Decides when to write the next checkpoint.

    Args:
        every: "500 steps", "10m" or "30s".
    """

    def __init__(self, every: str):
        match = re.fullmatch(r"(\d+)\s*(steps?|m|s)", every.strip())
        if not match or int(match[1]) < 1:
            raise KerasuiteError(
                f"--checkpoint-every {every}: write it as '500 steps', '10m' or '30s'"
            )
        number = int(match[1])
        self._steps = number if match[2].startswith("step") else None
        self._seconds = number * (60 if match[2] == "m" else 1)
        self._count = 0
        self._cost = 0.0
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Called once per step."""
        self._count += 1
        if self._steps:
            return self._count >= self._steps
        return time.monotonic() - self._last >= self._seconds

    def is_cheap(self) -> bool:
        """Whether writing one now keeps the cost below `CHECKPOINT_SHARE`."""
        return self._cost <= CHECKPOINT_SHARE * (time.monotonic() - self._last)

    def saved(self, seconds: float) -> None:
        self._count, self._cost, self._last = 0, seconds, time.monotonic()


def finish(app: App, run: Run) -> dict[str, Any]:
    """Evaluates the best model and writes metrics, plots and the model card."""
    model = load_best(app, run)
    metrics = write_evaluation(app, run, model)
    rows = _read_history(run.folder / "history.csv")
    plots.curves(rows, run.folder / "plots" / "curves.png")
    write_card(app, run, metrics, app.serving(run, model))
    return metrics


def write_evaluation(app: App, run: Run, model: keras.Model, folder: str = "") -> dict[str, Any]:
    """Scores `model`; writes metrics.json and the report's pictures.

    Args:
        folder: subfolder of the run folder for them; by default the run folder itself.
    """
    metrics, evaluator = evaluate(app, run, model)
    metrics = metrics | evaluator.report(run.folder / folder)
    write_json(run.folder / folder / "metrics.json", metrics)
    return metrics


def _read_history(path: Path) -> list[dict[str, float]]:
    import csv

    with open(path, encoding="utf-8", newline="") as file:
        return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]


def format_metrics(metrics: dict[str, float]) -> str:
    """One line of the most telling numbers."""
    skipped = ("epoch", "step", "learning_rate")
    shown = [(n, v) for n, v in metrics.items() if n not in skipped and isinstance(v, (int, float))]
    return "  ".join(f"{name} {value:.4g}" for name, value in shown[:8])
