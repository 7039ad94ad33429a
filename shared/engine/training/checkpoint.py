"""Checkpoints that an exact resume needs, in files that are either whole or ignored.

A checkpoint is one `.npz` file (a ZIP with a checksum for every array): all variables of
model, optimisers, weight average and random generators, and the loop's own state as JSON.
It is written under a temporary name, flushed to disk and renamed. A torn file, which only a
failing disk can leave, is noticed when it is read and the one before is taken.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path
from shared.engine.run_folder import checkpoint_paths

logger = logging.getLogger(__name__)
STATE_KEY = "state.json"


class CheckpointFolder:
    """The checkpoints of a run.

    Args:
        folder: path of the folder.
        keep: int. How many of the newest are kept.
    """

    def __init__(self, folder: Path, keep: int = 2):
        self.folder = Path(folder)
        self.keep = keep

    def paths(self) -> list[Path]:
        """All checkpoints, oldest first."""
        return checkpoint_paths(self.folder)

    def save(self, step: int, variables: dict[str, keras.Variable], state: dict[str, Any]) -> Path:
        """Writes a checkpoint and removes the ones beyond `keep`.

        Args:
            step: int. The number of steps done.
            variables: by name, see `training_variables`.
            state: the loop's own state, as JSON.

        Returns:
            The path of the checkpoint.

        Raises:
            OSError: if it cannot be written; the checkpoints before it are untouched.
            KerasuiteError: if a variable is NaN or infinite; likewise.
        """
        arrays = {name: np.asarray(variable) for name, variable in variables.items()}
        refuse_infinite(arrays, step)
        arrays[STATE_KEY] = np.frombuffer(json.dumps(state).encode(), np.uint8)
        path = self.folder / f"step-{step:09d}.npz"
        with atomic_path(path) as temporary:
            np.savez(temporary, **arrays)
        for old in self.paths()[: -self.keep]:
            old.unlink(missing_ok=True)
        return path

    def load_latest(self, variables: dict[str, keras.Variable]) -> dict[str, Any] | None:
        """Restores the newest whole checkpoint; returns its state, or None without one.

        Raises:
            KerasuiteError: if the checkpoint is of another model, or all are damaged.
        """
        paths = self.paths()
        for path in reversed(paths):
            try:
                arrays = _read(path)
                state = json.loads(arrays.pop(STATE_KEY).tobytes())
            except Exception:  # Flipped bytes show as any error of zipfile, zlib, JSON or NumPy.
                logger.warning("%s is damaged and is skipped", path)
                continue
            _assign(path, arrays, variables)
            return state
        if paths:
            raise KerasuiteError(
                f"{self.folder}: every checkpoint is damaged; train again to another --output"
            )
        return None


def refuse_infinite(
    variables: dict[str, Any], step: int, means: Mapping[str, float] | None = None
) -> None:
    """Raises a KerasuiteError if a variable or array is NaN or infinite, with its name.

    The losses of a step are those before its update, so that they may still be good.

    Args:
        variables: by name.
        step: int. The number of steps done.
        means: losses of these steps; those that are NaN or infinite too are named.
    """
    losses = [name for name, value in (means or {}).items() if not np.isfinite(value)]
    also = f" (so are the losses {', '.join(losses)})" if losses else ""
    for name, variable in variables.items():
        values = np.asarray(variable)
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise KerasuiteError(
                f"{name} is NaN or infinite after step {step}{also}: training stopped and the "
                f"last checkpoint is kept; start anew with a lower --learning-rate or with "
                f"--clip-norm"
            )


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _assign(path: Path, arrays: dict, variables: dict[str, keras.Variable]) -> None:
    for name, variable in variables.items():
        if name not in arrays:
            raise KerasuiteError(f"{path}: is of another model, '{name}' is missing in it")
        if arrays[name].shape != tuple(variable.shape):
            raise KerasuiteError(
                f"{path}: is of another model, '{name}' is {arrays[name].shape} there "
                f"and {tuple(variable.shape)} here"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name])


def training_variables(model: keras.Model, *others: Any) -> dict[str, keras.Variable]:
    """All variables that training changes, under stable names.

    Args:
        model: the model; its layers' random generators are among its variables. Optimisers by
            name and `training_state()` are taken where it has them.
        *others: objects with `.variables`: further optimisers, a weight average.
    """
    optimizers = getattr(model, "optimizers", None) or {"optimizer": model.optimizer}
    named = {"model": model.variables}
    named |= {name: optimizer.variables for name, optimizer in optimizers.items() if optimizer}
    state = model.training_state() if hasattr(model, "training_state") else []
    named |= {f"state_{index}": holder.variables for index, holder in enumerate(state)}
    named |= {f"other_{index}": other.variables for index, other in enumerate(others) if other}
    return {
        f"{group}/{index:04d}/{variable.path}": variable
        for group, variables in named.items()
        for index, variable in enumerate(variables)
    }
