"""Writes SavedModels, proves them in a fresh process, and finds them again.

    saved_models/<task>/<name>/<version>/
        saved_model.pb, variables/, assets/      what TensorFlow and TensorFlow Serving read
        assets.extra/config.yaml, README.md      the run's configuration and the model card
        assets.extra/...                         labels, vocabularies: `extra_assets()`

Everything is written to a temporary folder beside the target, loaded by `verify_export.py` in
a process without this project's code, compared with the live functions on `examples()`, and
only then renamed into place: a version folder that exists is complete and right.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from shared.common import config as configs
from shared.common.errors import KerasuiteError, from_os_error
from shared.common.files import atomic_folder, write_json, write_text
from shared.common.task_names import command_group
from shared.engine.app import App, ServingModule
from shared.engine.run import Run, load_best, open_run
from shared.engine.saved_model import verify_export
from shared.engine.training.card import card_text

EXTRA = "assets.extra"
TOLERANCES = {"float32": 1e-4, "mixed_float16": 1e-2, "mixed_bfloat16": 5e-2}
# What graph, vocabularies and assets may need besides the weights.
SPARE_BYTES = 32 * 2**20
STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
ABANDONED_AFTER_SECONDS = 24 * 3600


def export(
    app: App,
    run: Run,
    model: keras.Model,
    root: Path,
    *,
    name: str | None = None,
    version: int | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Writes and verifies the SavedModels of a trained model.

    Args:
        app: the application.
        run: the run that `model` belongs to.
        model: the model with its best weights.
        root: folder of all SavedModels, usually `saved_models`.
        name: folder below the task; by default the run's name.
        version: number of the version; by default one above the highest that exists.
        metrics: for the model card; by default those of the run folder.

    Returns:
        Key of `app.serving` to the version folder; key "a2b" is in `<name>-a2b`.

    Raises:
        KerasuiteError: if the target cannot be written or an export answers other than the
            live model. Nothing is left behind then.
    """
    name = name or run.config.name or run.folder.resolve().name
    _check_name(name, version)
    base = Path(root) / app.name
    check_target(base, sum(_bytes(weight) for weight in model.weights) + SPARE_BYTES)
    modules = app.serving(run, model)
    parents = {key: base / (f"{name}-{key}" if key else name) for key in modules}
    targets = {key: _target(parent, version) for key, parent in parents.items()}
    with _clean_failure(base, parents.values()), contextlib.ExitStack() as stack:
        # All are complete and proven before the stack renames the first.
        folders = {key: stack.enter_context(atomic_folder(targets[key])) for key in modules}
        for key, module in modules.items():
            _write_saved_model(module, folders[key])
            figures = _metrics(run) if metrics is None else metrics
            card = card_text(app, run, figures, {key: module}, targets={key: targets[key]})
            _write_extra(run, module, card, folders[key] / EXTRA)
        tolerance = TOLERANCES[run.config.precision]
        verify([(folders[key], module, tolerance) for key, module in modules.items()])
    return targets


def _check_name(name: str, version: int | None) -> None:
    if name in (".", "..") or Path(name).name != name:
        raise KerasuiteError(f"--name {name}: must be a plain folder name, without '/'")
    if version is not None and version < 1:
        raise KerasuiteError(f"--version {version}: must be 1 or more")


def check_target(
    folder: Path, needed_bytes: int = SPARE_BYTES, mend: str = "choose another --output"
) -> None:
    """Says early, before a model is loaded and traced, that `folder` cannot take it.

    Raises:
        KerasuiteError: if the folder cannot be made or written, or the disk is too full.
    """
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        raise KerasuiteError(f"{existing}: is a file, not a folder; {mend}")
    try:
        # os.access does not see quotas, read-only mounts of some kinds and the like.
        os.rmdir(tempfile.mkdtemp(dir=existing, prefix=".partial-"))
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); {mend}"
        raise KerasuiteError(f"{existing}: {problem}") from error
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise KerasuiteError(
            f"{existing}: needs {needed_bytes / 1e6:,.0f} MB and has {free / 1e6:,.0f} MB free; "
            f"free some space or {mend}"
        )


def _bytes(variable: keras.Variable) -> int:
    return variable.value.shape.num_elements() * variable.value.dtype.size


def _target(parent: Path, version: int | None) -> Path:
    version = version or max(_versions(parent), default=0) + 1
    target = parent / str(version)
    if target.exists():
        raise KerasuiteError(f"{target}: already exists; leave --version out or choose another")
    return target


@contextlib.contextmanager
def _clean_failure(base: Path, parents: Iterable[Path]) -> Iterator[None]:
    """Turns what storage may do into one line, and removes folders that stayed empty."""
    parents = list(parents)
    made = [folder for folder in (base.parent, base, *parents) if not folder.exists()]
    for parent in parents:
        _remove_abandoned(parent)
    try:
        yield
    except OSError as error:
        raise from_os_error(error) from error
    except tf.errors.OpError as error:
        raise _from_tensorflow(error, base) from error
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _from_tensorflow(error: tf.errors.OpError, base: Path) -> KerasuiteError:
    """TensorFlow's file operations tell the cause only within a longer text."""
    for code in STORAGE_ERRORS:
        if os.strerror(code) in str(error):
            return from_os_error(OSError(code, os.strerror(code), str(base)))
    reason = str(error).strip().splitlines()[0][:200]
    return KerasuiteError(f"{base}: the SavedModel could not be written: {reason}")


def _remove_abandoned(parent: Path) -> None:
    """Removes what an export that was killed long ago left beside the versions."""
    for folder in parent.glob(".partial-*"):
        if time.time() - folder.stat().st_mtime > ABANDONED_AFTER_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _write_saved_model(module: ServingModule, folder: Path) -> None:
    holder = tf.Module()
    holder.parts = [_tracked(item) for item in module.trackables()]
    for name, variable in module.attributes().items():
        setattr(holder, name, variable)
    functions = {
        name: _concrete(specs, function) for name, (specs, function) in module.signatures().items()
    }
    if "serving_default" not in functions:
        raise ValueError(f"{type(module).__name__} has no signature 'serving_default'")
    tf.saved_model.save(holder, str(folder), signatures=functions)


def _tracked(item: Any) -> Any:
    """A Keras layer gives its bare variables: tracked as it is, its optimizer came along."""
    if isinstance(item, keras.Layer):
        return [weight.value for weight in item.weights]
    return item.value if isinstance(item, keras.Variable) else item


def _concrete(specs: Mapping[str, tf.TensorSpec], function: Callable) -> Any:
    """Traces a function of keyword arguments; their names become the input names."""

    def signature(**inputs):
        return dict(function(**inputs))

    named = {key: tf.TensorSpec(spec.shape, spec.dtype, key) for key, spec in specs.items()}
    return tf.function(signature).get_concrete_function(**named)


def _write_extra(run: Run, module: ServingModule, card: str, folder: Path) -> None:
    configs.save(run.config, folder / "config.yaml")
    write_text(folder / "README.md", card)
    for name, text in module.extra_assets().items():
        write_text(folder / name, text)


def _metrics(run: Run) -> dict[str, Any]:
    file = run.folder / "metrics.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def verify(jobs: list[tuple[Path, ServingModule, float]]) -> None:
    """Loads SavedModels in one fresh process and compares them with their live functions.

    Args:
        jobs: (folder, module, tolerance) of each SavedModel.

    Raises:
        KerasuiteError: if one cannot be loaded or answers otherwise.
    """
    described = [
        {"folder": str(folder.absolute()), "tolerance": tolerance, "signatures": _cases(module)}
        for folder, module, tolerance in jobs
    ]
    with tempfile.TemporaryDirectory(prefix="kerasuite-verify-") as scratch:
        questions, answer = Path(scratch) / "jobs.json", Path(scratch) / "answer.json"
        write_json(questions, described)
        # -P and -E: neither this folder nor PYTHONPATH can lend it code of this project.
        command = [sys.executable, "-P", "-E", verify_export.__file__, str(questions), str(answer)]
        done = subprocess.run(
            command, cwd=scratch, env=_bare_environment(), capture_output=True, text=True
        )
        if done.returncode:
            last_line = (done.stderr.strip() or "no message").splitlines()[-1][:300]
            raise KerasuiteError(
                f"the export was discarded: it does not load in a fresh process: {last_line}"
            )
        problems = json.loads(answer.read_text(encoding="utf-8"))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise KerasuiteError(
            f"the export was discarded: it does not answer as the model does: {problems[0]}{more}"
        )


def _bare_environment() -> dict[str, str]:
    """CPU only: this process may hold all GPU memory, and a SavedModel must load anywhere."""
    environment = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    return environment | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _cases(module: ServingModule) -> dict[str, dict[str, dict[str, str]]]:
    examples = module.examples()
    return {
        name: _case(specs, function, examples[name])
        for name, (specs, function) in module.signatures().items()
    }


def _case(
    specs: Mapping[str, tf.TensorSpec], function: Callable, example: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    inputs = {key: tf.constant(example[key], spec.dtype) for key, spec in specs.items()}
    # The other process computes in full float32, on the CPU.
    fast = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        outputs = function(**inputs)
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(fast)
    return {
        "inputs": {key: verify_export.encode(value) for key, value in inputs.items()},
        "expected": {key: verify_export.encode(value) for key, value in outputs.items()},
    }


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
    """The SavedModel to predict with: `path` itself, or the export of a run folder.

    Args:
        app: the application.
        path: a SavedModel, or a run folder.
        key: which of several exports of a run, "a2b".

    Raises:
        KerasuiteError: if `path` is neither, of another task, or a run with several exports.
    """
    path = Path(path)
    if not (path / "config.yaml").is_file():
        beside = path.with_name(f"{path.name}-{key}")
        path = beside if key and not path.exists() and beside.exists() else path
        check_task(path, app.name)
        return find_saved_model(path)
    exported = export_if_needed(app, path)
    if key is not None and key not in exported:
        raise KerasuiteError(f"{path}: has no '{key}', only {' and '.join(exported)}")
    if key is None and len(exported) > 1:
        choices = " or ".join(str(folder.parent) for folder in exported.values())
        raise KerasuiteError(f"{path}: is exported as {len(exported)} models; give {choices}")
    return exported[key] if key is not None else next(iter(exported.values()))


def _exported(record: Path, best: Path) -> dict[str, Path]:
    """What `record` says was exported of `best`, if all of it is still there."""
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


def find_saved_model(path: str | Path) -> Path:
    """The SavedModel at `path`: itself, or its newest version by number.

    Raises:
        KerasuiteError: if there is none.
    """
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        return path
    versions = _versions(path)
    complete = [number for number in versions if (versions[number] / "saved_model.pb").is_file()]
    if complete:
        return versions[max(complete)]
    if not path.exists():
        raise KerasuiteError(f"{path}: no such file or folder")
    raise KerasuiteError(
        f"{path}: is no SavedModel (no saved_model.pb in it or in a numbered folder of it); "
        f"give saved_models/<task>/<name> or one of its versions"
    )


def _versions(parent: Path) -> dict[int, Path]:
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
