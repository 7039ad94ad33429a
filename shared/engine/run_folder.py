"""A run folder before and around a training, without TensorFlow: who may write it."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from shared.common.config import RunConfig
from shared.common.errors import KerasuiteError
from shared.common.files import PARTIAL
from shared.engine.distribution.cluster import find_cluster

try:
    import fcntl
except ImportError:  # Windows: two trainings in one folder are not noticed there.
    fcntl = None

LOCK = ".lock"


def was_trained(folder: Path) -> bool:
    """Whether a run's model was trained there, and not imported or made smaller."""
    return (folder / "history.csv").is_file()


def checkpoint_paths(folder: Path) -> list[Path]:
    """The checkpoints in a folder of them, oldest first."""
    return sorted(folder.glob("step-*.npz"))


def may_write(config: RunConfig) -> bool:
    """Whether this process is the one that will write the run folder."""
    cluster = find_cluster() if config.strategy in ("auto", "multiworker") else None
    return cluster is None or cluster.is_chief


def refuse_to_overwrite(folder: Path, resume: bool) -> None:
    """Makes sure that `train` starts in a new folder and `--resume` in an old one."""
    exists = (folder / "config.yaml").exists()
    if resume and not exists:
        raise KerasuiteError(f"{folder}: holds no run to resume; leave out --resume to start one")
    begun = was_trained(folder) or checkpoint_paths(folder / "checkpoints")
    if resume and (folder / "model.keras").is_file() and not begun:
        raise KerasuiteError(
            f"{folder}: holds a model that was not trained there, so there is nothing to resume; "
            f"start a new run with --init {folder}"
        )
    if exists and not resume:
        raise KerasuiteError(
            f"{folder}: already holds a run; add --resume to continue it or choose another --output"
        )
    if not exists and folder.is_dir() and any(map(_is_content, folder.iterdir())):
        raise KerasuiteError(f"{folder}: is not empty and no run; choose another --output")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes a run folder, and keeps other processes from writing it.

    Raises:
        KerasuiteError: if another process writes it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = _lock(folder)
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        file.close()
        with contextlib.suppress(OSError):
            folder.rmdir()  # If the training failed before it wrote anything.


def _lock(folder: Path) -> IO[str]:
    while True:
        file = open(folder / LOCK, "w")  # noqa: SIM115
        if fcntl is None:
            return file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise KerasuiteError(
                f"{folder}: another process trains this run; choose another --output"
            ) from None
        except OSError:
            return file  # A file system without locks.
        # Who held the lock may have removed the file after it was opened here.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(folder / LOCK), os.fstat(file.fileno())):
                return file
        file.close()
        folder.mkdir(parents=True, exist_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Removes what a kill in the middle of a write has left."""
    for path in list(folder.rglob(f"{PARTIAL}*")):
        if (folder / "export") in path.parents:
            continue  # Exports have a lock of their own.
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_content(path: Path) -> bool:
    return path.name != LOCK and not path.name.startswith(PARTIAL)
