"""Finds exported SavedModels, their versions and what they were exported from."""

from pathlib import Path
from typing import Any

from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.common.task_names import command_group

EXTRA = "assets.extra"


def find_saved_model(path: str | Path) -> Path:
    """The SavedModel at `path`: itself, or its newest version by number.

    Raises:
        KerasuiteError: if there is none.
    """
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        return path
    found = versions(path)
    complete = [number for number in found if (found[number] / "saved_model.pb").is_file()]
    if complete:
        return found[max(complete)]
    if not path.exists():
        raise KerasuiteError(f"{path}: no such file or folder")
    raise KerasuiteError(
        f"{path}: is no SavedModel (no saved_model.pb in it or in a numbered folder of it); "
        f"give saved_models/<task>/<name> or one of its versions"
    )


def versions(parent: Path) -> dict[int, Path]:
    """Version number to folder, as TensorFlow Serving reads them."""
    if not parent.is_dir():
        return {}
    return {
        int(folder.name): folder
        for folder in parent.iterdir()
        if folder.name.isascii() and folder.name.isdigit() and folder.is_dir()
    }


def saved_model_config(path: str | Path) -> dict[str, Any]:
    """The configuration of the run that a SavedModel was exported from.

    Raises:
        KerasuiteError: if the SavedModel was not exported by kerasuite.
    """
    file = find_saved_model(path) / EXTRA / "config.yaml"
    if not file.is_file():
        raise KerasuiteError(
            f"{path}: has no {EXTRA}/config.yaml; give a SavedModel that kerasuite exported"
        )
    return configs.read_yaml(file)


def check_task(path: str | Path, task: str) -> None:
    """Raises KerasuiteError if the SavedModel at `path` is of another task."""
    found = saved_model_config(path).get("task")
    if found != task:
        raise KerasuiteError(
            f"{path}: is a model of the task '{found}', not '{task}'; "
            f"use 'kerasuite {command_group(str(found))} predict' or another model"
        )
