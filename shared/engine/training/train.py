"""The training loop: one for every application.

    run = train(app, config, folder)            a new run
    run = train(app, config, folder, resume=True)

Each epoch: optimiser steps, validation, one row of history, best model, checkpoint. What an
exact resume needs is in `State` and in the variables; the data stream is a function of the
step, so that it needs no state at all.
"""

import contextlib
import dataclasses
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import keras
import tensorflow as tf

from shared.common import config as configs
from shared.common.config import RunConfig
from shared.common.environment import write_environment
from shared.common.errors import Interrupted, KerasuiteError
from shared.common.messages import warn
from shared.common.progress import Progress
from shared.common.signals import catch_signals
from shared.engine.app import LAST_EPOCH, App
from shared.engine.distribution import replicas
from shared.engine.distribution.gpus import missing_in_xla, use_xla
from shared.engine.distribution.strategy import set_up
from shared.engine.distribution.workers import AgreedStop
from shared.engine.run import Run, save_model
from shared.engine.run_folder import locked, may_write, refuse_to_overwrite, remove_leftovers
from shared.engine.training.changed_data import changed_since, damaged_images_named
from shared.engine.training.checkpoint import CheckpointFolder, refuse_infinite, training_variables
from shared.engine.training.checkpoint_clock import CheckpointClock
from shared.engine.training.cpu_data_parallel import enable_cpu_data_parallel
from shared.engine.training.evaluate import ForwardPass, averaged, evaluate
from shared.engine.training.finish import finish
from shared.engine.training.history import RunningMeans, TensorBoard, format_metrics, write_csv
from shared.engine.training.train_step import build_train_step, prepare_optimizer
from shared.engine.training.weight_average import WeightAverage


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
        folder: the run folder.
        resume: continue the run in `folder`.

    Returns:
        The finished run.

    Raises:
        KerasuiteError: if the data, the folder or the configuration do not allow it.
        Interrupted: after SIGINT or SIGTERM, with a checkpoint.
    """
    folder = Path(folder)
    CheckpointClock(config.checkpoint_every)  # Refuses a malformed value before it is saved.
    with contextlib.ExitStack() as stack:
        if may_write(config):
            stack.enter_context(locked(folder))
            refuse_to_overwrite(folder, resume)
            remove_leftovers(folder)
        cpu_data_parallel = enable_cpu_data_parallel(config, app.independent_rows)
        began = _beginning(folder)
        run = Run(config, folder, strategy=set_up(config), cpu_data_parallel=cpu_data_parallel)
        run.is_training = True
        stack.enter_context(run.workers.report_lost_workers())
        with nothing_half_made(run, resume):
            prepare(app, run)
            trainer = Trainer(app, run, resume)
        if resume and run.is_chief:
            for line in changed_since(config.data, began):
                warn(line)
        with damaged_images_named(folder), missing_in_xla(config.xla):
            trainer.fit()
            finish(app, run)
    return run


def _beginning(folder: Path) -> float:
    """When a run that is resumed read its data: artifacts.json is written then, and once."""
    with contextlib.suppress(OSError):
        return (folder / "artifacts.json").stat().st_mtime
    return math.inf


def prepare(app: App, run: Run) -> None:
    """Lets the chief make everything that stands before the first step; the others read it."""
    config = run.config
    if run.is_chief:
        run.folder.mkdir(parents=True, exist_ok=True)
        configs.save(config, run.folder / "config.yaml")
        write_environment(run.folder / "environment.json", run.strategy, run.cpu_data_parallel)
        run.load_artifacts()
        app.prepare(run)
        if run.config is not config:
            # What the run starts from has decided some of it.
            configs.save(run.config, run.folder / "config.yaml")
    run.workers.barrier()
    if not run.is_chief:
        if not (run.folder / "config.yaml").is_file():
            raise KerasuiteError(
                f"{run.folder}: worker {run.workers.index} does not see what the chief wrote "
                f"there; put --output on a file system that all workers share"
            )
        run.load_artifacts()
        app.prepare(run)
    run.steps_per_epoch = app.steps_per_epoch(run)


@contextlib.contextmanager
def nothing_half_made(run: Run, resume: bool) -> Iterator[None]:
    """Removes the folder of a new run that fails before its first step."""
    try:
        yield
    except BaseException:
        if not resume and run.is_chief:
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


class Trainer:
    """Trains one run from its first or its checkpointed step to its last."""

    def __init__(self, app: App, run: Run, resume: bool = False):
        self.app, self.run, self.config = app, run, run.config
        optimization = run.config.optimization
        self.monitor = app.monitored(run.config)
        if optimization.patience and self.monitor == LAST_EPOCH:
            raise KerasuiteError(
                "--patience: is not used where the model of the last epoch is kept; name what to "
                "follow with --metric, or leave it out"
            )
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
        self.board = TensorBoard(run.folder / "tensorboard") if run.is_chief else None
        self._trained: tuple[str, ...] | None = None
        self.state = State()
        if resume:
            self._restore()

    def _restore(self) -> None:
        saved = self.checkpoints.load_latest(self.variables)
        if saved is not None:
            self.state = State(**saved)
        step = self.run.workers.broadcast(self.state.step)
        if step != self.state.step:
            raise KerasuiteError(
                f"{self.checkpoints.folder}: worker {self.run.workers.index} finds step "
                f"{self.state.step} and the chief step {step}; put --output on a file system "
                f"that all workers share"
            )
        if self.run.is_chief:
            write_csv(self.state.history, self.run.folder / "history.csv")

    def fit(self) -> None:
        """Runs the remaining epochs."""
        run, state = self.run, self.state
        dataset = self.app.batches(run, "train", state.step)
        self._batch_spec = replicas.batch_spec(run.strategy, dataset)
        batches = iter(dataset)
        with (
            catch_signals() as signals,
            Progress(run.total_steps, "step", "train", enabled=run.is_chief) as progress,
        ):
            stop = AgreedStop(run.workers, signals)
            progress.skip(state.step)
            while state.step < run.total_steps and not self._out_of_patience():
                started = time.perf_counter()
                means = self._train_epoch(batches, progress, stop)
                seconds = time.perf_counter() - started
                self._end_epoch(means, seconds, progress)
                if self.clock.is_cheap() or stop.raised or state.step == run.total_steps:
                    self._save_checkpoint()
                self._end_if(stop)
            if state.step < run.total_steps:
                progress.log(
                    f"stopped early: {self.monitor[0]} has been best in epoch "
                    f"{state.best_epoch} (--patience {self.config.optimization.patience})"
                )

    def _train_epoch(self, batches, progress: Progress, stop: AgreedStop) -> dict[str, float]:
        run, state = self.run, self.state
        means = RunningMeans(state.sums)
        end = (state.step // run.steps_per_epoch + 1) * run.steps_per_epoch
        step = self._step_of_epoch(state.step // run.steps_per_epoch)
        while state.step < end:
            traced = step.experimental_get_tracing_count()
            means.add(step(replicas.split(run.strategy, next(batches))))
            state.step += 1
            stop.poll()
            # A step that is traced takes as long as hundreds: it would spoil the time left.
            was_traced = step.experimental_get_tracing_count() > traced
            (progress.skip if was_traced else progress.advance)(1)
            # The last step of an epoch is saved after its validation, in `_end_epoch`.
            if state.step < end and (self.clock.count_step() or stop.raised):
                means.flush()
                state.sums = means.sums
                self._save_checkpoint()
                self._end_if(stop)
            if progress.is_due():
                progress.text(f"{format_metrics(means.result())}  {self._speed(progress.rate())}")
        state.sums = {}
        return means.result()

    def _step_of_epoch(self, epoch: int):
        """The compiled step; traced again when the epoch froze or unfroze layers."""
        self.app.begin_epoch(self.run, self.model, epoch)
        trained = tuple(v.path for v in self.model.trainable_variables)
        if trained != self._trained:
            self._trained = trained
            self._step = build_train_step(
                self.model,
                self.run.strategy,
                self.config.optimization,
                self.average,
                self._batch_spec,
                self.run.cpu_data_parallel,
                self._uses_xla(),
            )
        return self._step

    def _uses_xla(self) -> bool:
        strategy, devices = self.run.strategy, self.config.devices
        on_gpu = not devices.startswith("cpu") and bool(tf.config.list_logical_devices("GPU"))
        replicas = strategy.num_replicas_in_sync
        config = self.config
        return use_xla(config.xla, replicas, on_gpu, self._batch_spec, config.deterministic)

    def _end_epoch(self, means: dict[str, float], seconds: float, progress: Progress) -> None:
        run, state = self.run, self.state
        refuse_infinite({v.path: v for v in self.model.weights}, state.step, means)
        epoch = state.step // run.steps_per_epoch
        row = {"epoch": epoch, "step": state.step, **learning_rates(self.model), **means}
        if epoch % self.config.validate_every == 0 or state.step == run.total_steps:
            with averaged(self.average):
                scores, evaluator = evaluate(self.app, run, self.model, forward=self.forward)
                row |= {f"val_{name}": value for name, value in scores.items()}
                if run.is_chief:
                    evaluator.after_epoch(run.folder, epoch)
                if self.app.may_be_best(run, epoch):
                    self._keep_best(row, epoch)
        state.history.append(row)
        rate = run.steps_per_epoch / seconds
        if run.is_chief:
            write_csv(state.history, run.folder / "history.csv")
            self.board.write(row, {"items_per_second": rate * self.app.items_per_step(run)})
        # The metric that decides comes first, as a GAN has more losses than fit in a line.
        first = {name: row[name] for name in self.monitor[:1] if name in row}
        shown = f"{format_metrics(first | row)}  {self._speed(rate)}"
        progress.log(f"epoch {epoch}/{self.config.epochs}  {shown}")

    def _speed(self, steps_per_second: float) -> str:
        rate = steps_per_second * self.app.items_per_step(self.run)
        return f"{rate:.0f} {self.app.unit(self.run)}/s"

    def _end_if(self, stop: AgreedStop) -> None:
        if stop.raised:
            raise Interrupted(
                stop.raised,
                f"interrupted at step {self.state.step}, which is saved; "
                f"continue with --output {self.run.folder} --resume",
            )

    def _keep_best(self, row: dict[str, float], epoch: int) -> None:
        metric, direction = self.monitor
        if metric not in row:
            known = (n.removeprefix("val_") for n in row if n.startswith("val_"))
            known = ", ".join(name for name in known if name in self.config.metrics)
            raise KerasuiteError(
                f"--metric {self.config.metric}: is not measured with these data and options; "
                f"those that are: {known or 'none'}"
            )
        value = row[metric]
        sign = 1 if direction == "max" else -1
        if self.state.best is None or sign * value > sign * self.state.best:
            self.state.best, self.state.best_epoch = value, epoch
            if self.run.is_chief:
                save_model(self.model, self.run.folder / "model.keras")

    def _out_of_patience(self) -> bool:
        patience = self.config.optimization.patience
        if self.state.best is None:
            return False
        epoch = self.state.step // self.run.steps_per_epoch
        # Between two validations nothing can have become better.
        validated = epoch % self.config.validate_every == 0
        return bool(patience) and validated and epoch - self.state.best_epoch >= patience

    def _save_checkpoint(self) -> None:
        if not self.run.is_chief:
            return
        started = time.perf_counter()
        self.checkpoints.save(self.state.step, self.variables, dataclasses.asdict(self.state))
        self.clock.restart(time.perf_counter() - started)


def learning_rates(model: keras.Model) -> dict[str, float]:
    """Columns of history.csv: the learning rate, and for a GAN also those of further optimisers."""
    optimizers = getattr(model, "optimizers", None) or {"": getattr(model, "optimizer", None)}
    rates = [float(o.learning_rate) if o else 0.0 for o in optimizers.values()]
    further = list(optimizers)[1:]
    names = ["learning_rate", *(f"learning_rate_{name}" for name in further)]
    return dict(zip(names, rates, strict=True))
