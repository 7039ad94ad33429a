"""The SavedModels of a run folder: exported once, to `<run>/export/`, and used again."""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from shared.common.errors import KerasuiteError
from shared.common.files import write_json
from shared.common.task_names import command_group
from shared.engine.app import App
from shared.engine.run import load_best, open_run
from shared.engine.saved_model.export import export
from shared.engine.saved_model.export_target import SPARE_BYTES, check_target
from shared.engine.saved_model.saved_models import (
    check_task,
    find_export,
    is_network_file,
    is_run_folder,
)


def export_if_needed(app: App, run_folder: str | Path) -> dict[str, Path]:
    """The SavedModels of a run folder, exported to `<run>/export/` the first time.

    They are reused while model.keras is unchanged. Several processes may ask at once, as the
    shards of one prediction do: one exports, the others wait for it.

    Returns:
        Key of `app.serving` ("" when there is one) to the version folder.
    """
    run_folder = Path(run_folder)
    run = open_run(app, run_folder)
    best = run_folder / "model.keras"
    if not best.is_file():
        raise KerasuiteError(
            f"{run_folder}: has no model.keras yet; finish its first epoch with --resume"
        )
    folder = run_folder / "export"
    record = folder / "export.json"
    ready = _exported(record, best)
    if ready:
        return ready
    mend = f"export the run with 'kerasuite {command_group(app.name)} export --output'"
    check_target(folder, best.stat().st_size + SPARE_BYTES, mend)
    with _locked(folder):
        ready = _exported(record, best)
        if not ready:
            fingerprint = _fingerprint(best)
            ready = export(app, run, load_best(app, run), folder)
            paths = {key: path.relative_to(folder).as_posix() for key, path in ready.items()}
            write_json(record, {"model_sha256": fingerprint, "saved_models": paths})
    return ready


def saved_model_for(app: App, path: str | Path, key: str | None = None) -> Path:
    """The model to predict with: the export at `path`, or the SavedModel of a run folder.

    Args:
        app: the application.
        path: a SavedModel, the network file of another format, or a run folder.
        key: which of several exports of a run, "a2b".

    Raises:
        KerasuiteError: if `path` is neither, of another task, or a run with several exports.
    """
    path = Path(path)
    if not is_run_folder(path):
        beside = path.with_name(f"{path.name}-{key}")
        path = beside if key and not path.exists() and beside.exists() else path
        check_task(path, app.name)
        found = find_export(path)
        if is_network_file(found) and not app.predicts_networks:
            raise KerasuiteError(
                f"{found}: is the network alone, without its tokenizer; predict with the run, or "
                f"with the SavedModel that 'export' writes without --format"
            )
        return found
    exported = export_if_needed(app, path)
    if key is not None and key not in exported:
        raise KerasuiteError(f"{path}: has no '{key}', only {' and '.join(exported)}")
    if key is None and len(exported) > 1:
        choices = " or ".join(str(folder.parent) for folder in exported.values())
        raise KerasuiteError(f"{path}: is exported as {len(exported)} models; give {choices}")
    return exported[key] if key is not None else next(iter(exported.values()))


def _exported(record: Path, best: Path) -> dict[str, Path]:
    """The exports of `best` that `record` lists, if all of them are still there."""
    try:
        values = json.loads(record.read_text(encoding="utf-8"))
        paths = {key: record.parent / path for key, path in values["saved_models"].items()}
        unchanged = values["model_sha256"] == _fingerprint(best)
    except (OSError, ValueError, KeyError):
        return {}
    whole = all((path / "saved_model.pb").is_file() for path in paths.values())
    return paths if unchanged and whole else {}


def _fingerprint(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Waits until no other process holds the lock on `folder`; killed holders lose it."""
    try:
        import fcntl
    except ImportError:  # Windows: two exports at once make two versions, both good.
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
