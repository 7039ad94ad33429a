"""What can be said of a run folder without TensorFlow, before a training starts."""

from pathlib import Path

from shared.common.config import RunConfig
from shared.common.errors import KerasuiteError
from shared.engine.distribution.cluster import find_cluster


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
    if not exists and folder.is_dir() and any(folder.iterdir()):
        raise KerasuiteError(f"{folder}: is not empty and no run; choose another --output")
