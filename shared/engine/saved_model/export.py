"""Writes SavedModels.

    saved_models/<task>/<name>/<version>/
        saved_model.pb, variables/, assets/      what TensorFlow and TensorFlow Serving read
        assets.extra/config.yaml, README.md      the run's configuration and the model card
        assets.extra/...                         labels, vocabularies: `extra_assets()`

Everything is written to a temporary folder beside the target, verified (see `verification.py`)
and only then renamed: a version folder that exists is complete and right.
"""

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from shared.common import config as configs
from shared.common.errors import KerasuiteError, from_os_error
from shared.common.files import atomic_folder, read_json, write_text
from shared.engine.app import App, ServingModule
from shared.engine.run import Run
from shared.engine.saved_model.saved_models import EXTRA, versions
from shared.engine.saved_model.verification import verify
from shared.engine.training.card import card_text

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
    """Checks that a folder can take an export, before a model is loaded and traced.

    Args:
        folder: where the export goes; need not exist.
        needed_bytes: int. Its size, at most.
        mend: what the message tells the user to do about it.

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
    version = version or max(versions(parent), default=0) + 1
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
    return tf.function(signature, autograph=False).get_concrete_function(**named)


def _write_extra(run: Run, module: ServingModule, card: str, folder: Path) -> None:
    configs.save(run.config, folder / "config.yaml")
    write_text(folder / "README.md", card)
    for name, text in module.extra_assets().items():
        write_text(folder / name, text)


def _metrics(run: Run) -> dict[str, Any]:
    file = run.folder / "metrics.json"
    return read_json(file) if file.is_file() else {}
