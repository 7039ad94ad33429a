"""Finds exports, their versions and what they were exported from."""

from pathlib import Path
from typing import Any

from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.common.remote_paths import refuse_remote
from shared.common.task_names import command_group

EXTRA = "assets.extra"
# The networks of exports in other formats, and the file beside each that says what it is.
NETWORK_FILES = ("model.onnx", "model.tflite", "model.keras")
SIDECAR = "model.json"


def find_export(path: str | Path) -> Path:
    """The SavedModel at `path`, or the network file of another format: see `find_saved_model`.

    Raises:
        KerasuiteError: if there is neither.
    """
    path = Path(path)
    if is_network_file(path):
        return path
    found = versions(path)
    for folder in (path, *(found[number] for number in sorted(found, reverse=True))):
        for name in NETWORK_FILES:
            if is_network_file(folder / name):
                return folder / name
    if path.is_file():
        raise KerasuiteError(
            f"{path}: is no model that kerasuite exported (no {SIDECAR} beside it); give a folder "
            f"or file that export wrote"
        )
    return find_saved_model(path)


def is_run_folder(path: Path) -> bool:
    """Whether a folder is that of a run, rather than an export's."""
    return (path / "config.yaml").is_file() and not (path / SIDECAR).is_file()


def is_network_file(path: str | Path) -> bool:
    """Whether a path is the network of an export in another format than SavedModel."""
    path = Path(path)
    suffixes = [Path(name).suffix for name in NETWORK_FILES]
    return path.suffix in suffixes and path.is_file() and (path.parent / SIDECAR).is_file()


def extra_folder(path: str | Path) -> Path:
    """The folder of an export's configuration, labels and model card."""
    path = Path(path)
    return path.parent if is_network_file(path) else path / EXTRA


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
        refuse_remote(str(path))
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
    """The configuration of the run that an export was made from.

    Raises:
        KerasuiteError: if it was not exported by kerasuite.
    """
    found = find_export(path)
    file = extra_folder(found) / "config.yaml"
    if not file.is_file():
        place = file.relative_to(found if found.is_dir() else found.parent)
        raise KerasuiteError(f"{path}: has no {place}; give a model that kerasuite exported")
    return configs.read_yaml(file)


def check_task(path: str | Path, task: str) -> None:
    """Raises KerasuiteError if the export at `path` is of another task."""
    found = saved_model_config(path).get("task")
    if found != task:
        raise KerasuiteError(
            f"{path}: is a model of the task '{found}', not '{task}'; "
            f"use 'kerasuite {command_group(str(found))} predict' or another model"
        )
