"""A run: its configuration, its folder and the artifacts of its data."""

import contextlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from shared.common import config as configs
from shared.common.config import RunConfig
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path, read_json, write_json
from shared.common.messages import warn
from shared.common.task_names import training_command
from shared.engine.distribution.strategy import set_kernels, set_precision
from shared.engine.distribution.workers import Workers

MAX_NAMED = 5  # Parts in a warning.
Fit = Callable[[keras.Variable, keras.Variable], Any]


@dataclass
class Run:
    """One run of one application.

    Attributes:
        config: the resolved configuration.
        folder: the run folder.
        artifacts: what `App.prepare` made: class names, file lists, vocabularies. Plain
            JSON values; kept in `artifacts.json`, so that a finished run needs no data.
        strategy: the tf.distribute strategy that everything runs under.
        steps_per_epoch: optimiser steps in one pass over the training data.
        cpu_data_parallel: whether two micro-batches are trained at once, see
            `enable_cpu_data_parallel`.
        is_training: whether it is being trained, and not evaluated or exported.
        workers: the processes of the strategy.
    """

    config: RunConfig
    folder: Path
    artifacts: dict[str, Any] = field(default_factory=dict)
    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)
    steps_per_epoch: int = 0
    cpu_data_parallel: bool = False
    is_training: bool = False
    workers: Workers = field(init=False)

    def __post_init__(self):
        self.workers = Workers(self.strategy)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.steps_per_epoch * self.config.epochs

    @property
    def worker(self) -> tuple[int, int]:
        """(index, count) of this process among the workers of the run."""
        return self.workers.index, self.workers.count

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes the run folder."""
        return self.workers.is_chief

    def save_artifacts(self) -> None:
        """Writes `artifacts.json`."""
        write_json(self.folder / "artifacts.json", self.artifacts)

    def load_artifacts(self) -> None:
        """Reads what an earlier `prepare` saved, if there was one."""
        path = self.folder / "artifacts.json"
        if path.is_file():
            self.artifacts = read_json(path)


def config_of(app, folder: str | Path) -> RunConfig:
    """The configuration that a run folder was made with.

    Raises:
        KerasuiteError: if `folder` is no run folder or belongs to another task.
    """
    folder = Path(folder)
    if not (folder / "config.yaml").is_file():
        raise KerasuiteError(
            f"{folder}: is not a run folder (no config.yaml in it); "
            f"give the folder that '{training_command(app.name)}' wrote"
        )
    return configs.load(app.config_class, folder / "config.yaml")


def open_run(app, folder: str | Path, strategy: tf.distribute.Strategy | None = None) -> Run:
    """Opens a finished or interrupted run folder.

    Args:
        app: the application.
        folder: the run folder.
        strategy: to run under; by default the one in force.

    Raises:
        KerasuiteError: if `folder` is no run folder or belongs to another task.
    """
    config = config_of(app, folder)
    # Deterministic kernels give other roundings: what a training printed is what comes again.
    set_kernels(config.deterministic)
    set_precision(config.precision)
    run = Run(config, Path(folder), strategy=strategy or tf.distribute.get_strategy())
    run.load_artifacts()
    app.prepare(run)
    return run


def read_metrics(folder: Path) -> dict[str, Any]:
    """The metrics.json of a run."""
    return read_json(folder / "metrics.json")


def save_model(model: keras.Model, path: Path) -> None:
    """Writes a model without its optimisers, which only checkpoints need."""
    with _without_optimizer(model), atomic_path(path) as temporary:
        model.save(temporary)


@contextlib.contextmanager
def _without_optimizer(model: keras.Model) -> Iterator[None]:
    names = [name for name in ("optimizer", "optimizers") if hasattr(model, name)]
    kept = {name: getattr(model, name) for name in names}
    for name in names:
        setattr(model, name, None)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(model, name, value)


def load_best(app, run: Run) -> keras.Model:
    """Rebuilds the model of a run with its best weights (EMA weights where used)."""
    path = run.folder / "model.keras"
    if not path.is_file():
        raise KerasuiteError(
            f"{run.folder}: has no model.keras yet; finish its first epoch with --resume"
        )
    with run.strategy.scope():
        model = app.build(run)
    load_keras_weights(model, path)
    return model


def load_keras_weights(model: keras.Model, path: Path) -> None:
    """Loads the weights of a `.keras` or `.weights.h5` file into a model of equal shape."""
    try:
        with _without_optimizer(model):
            model.load_weights(path)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise KerasuiteError(f"{path}: does not fit this model ({reason})") from error


def load_init(run: Run, model: keras.Model, fit: Fit | None = None) -> None:
    """Starts `model` from `config.init`: every variable of equal path and shape is taken.

    A head with another number of classes is left as initialised, so that a model trained on
    one data set can start a model for another.

    Args:
        run: the run.
        model: its model.
        fit: see `copy_matching_weights`.
    """
    if not run.config.init:
        return
    path = Path(run.config.init)
    if others := other_classes(path, run.artifacts):
        warn(f"--init {path}: {others}")
    path = path / "model.keras" if path.is_dir() else path
    if not path.is_file():
        raise KerasuiteError(f"--init {path}: no such file; give a run folder or a weights file")
    if path.suffix != ".keras":
        load_keras_weights(model, path)
        return
    try:
        saved = keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, zipfile.BadZipFile) as error:
        # TypeError: of a class that this version does not have.
        raise KerasuiteError(
            f"--init {path}: is not a readable .keras file, or of another version of kerasuite"
        ) from error
    left = copy_matching_weights(saved, model, fit)
    if len(left) == len(model.weights):
        raise KerasuiteError(f"--init {path}: no weight has the name and shape of this model's")
    if left:
        names = _largest_parts(left, model)
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        warn(f"--init {path}: nothing in it fits {', '.join(names[:MAX_NAMED])}{more}; "
             f"begins untrained")  # fmt: skip


def other_classes(folder: Path, artifacts: dict[str, Any]) -> str:
    """A warning if a run has other classes in equal number, whose outputs would be taken; or "".

    Args:
        folder: folder of the run that is started from.
        artifacts: of the run that starts.
    """
    saved = folder / "artifacts.json"
    theirs = read_json(saved) if saved.is_file() else {}
    for key in ("class_names", "labels"):
        here, there = artifacts.get(key) or [], theirs.get(key) or []
        if len(here) == len(there) and here != there:
            first = next(index for index, name in enumerate(here) if name != there[index])
            return (
                f"its classes are others, or in another order ('{there[first]}' where "
                f"'{here[first]}' is now); the last layer starts from theirs"
            )
    return ""


def copy_matching_weights(
    source: keras.Model, target: keras.Model, fit: Fit | None = None
) -> list[str]:
    """Copies the weights that agree in path and shape; returns the paths of those left.

    Args:
        source, target: models.
        fit: makes of a variable of the target, and that of the source of equal path and another
            shape, the value that it takes; None where it takes none.
    """
    by_path = {variable.path: variable for variable in source.weights}
    left = []
    for variable in target.weights:
        found = by_path.get(variable.path)
        if found is not None and found.shape == variable.shape:
            variable.assign(found)
        elif found is not None and fit and (value := fit(variable, found)) is not None:
            variable.assign(value)
        else:
            left.append(variable.path)
    return left


def _largest_parts(paths: list[str], model: keras.Model) -> list[str]:
    """The largest parts of a model that have no other weights: a layer for its kernel and bias."""
    others = {variable.path for variable in model.weights} - set(paths)
    inside = {prefix for path in others for prefix in _prefixes(path)}
    largest = (next(p for p in _prefixes(path) if p not in inside) for path in paths)
    return list(dict.fromkeys(largest))


def _prefixes(path: str) -> list[str]:
    """The parts that a variable is in, the largest first, and itself."""
    names = path.split("/")
    return ["/".join(names[:end]) for end in range(1, len(names) + 1)]
