"""Writes SavedModels.

    saved_models/<task>/<name>/<version>/
        saved_model.pb, variables/, assets/      what TensorFlow and TensorFlow Serving read
        assets.extra/config.yaml, README.md      the run's configuration and the model card
        assets.extra/request.json                a request to TensorFlow Serving
        assets.extra/...                         labels, vocabularies: `extra_assets()`

Everything is written to a temporary folder beside the target, verified (see `verification.py`)
and only then renamed: a version folder that exists is complete and right.
"""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from shared.common import config as configs
from shared.common.files import atomic_folder, read_json, write_text
from shared.engine.app import App, ServingModule
from shared.engine.run import Run
from shared.engine.saved_model.export_target import (
    SPARE_BYTES,
    check_name,
    check_target,
    clean_failure,
    version_folder,
)
from shared.engine.saved_model.rest_request import example_request
from shared.engine.saved_model.saved_models import EXTRA
from shared.engine.saved_model.verification import Examples, verify
from shared.engine.training.card import card_text

TOLERANCES = {"float32": 1e-4, "mixed_float16": 1e-2, "mixed_bfloat16": 5e-2}


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
    check_name(name, version)
    base = Path(root) / app.name
    check_target(base, bytes_of(model) + SPARE_BYTES)
    modules = app.serving(run, model)
    parents = {key: base / (f"{name}-{key}" if key else name) for key in modules}
    targets = {key: version_folder(parent, version) for key, parent in parents.items()}
    tolerance, jobs = TOLERANCES[run.config.precision], []
    with clean_failure(base, parents.values()), contextlib.ExitStack() as stack:
        # All are complete and proven before the stack renames the first.
        folders = {key: stack.enter_context(atomic_folder(targets[key])) for key in modules}
        for key, module in modules.items():
            _write_saved_model(module.for_inference(), folders[key])
            figures = metrics_of(run) if metrics is None else metrics
            card = card_text(app, run, figures, {key: module}, targets={key: targets[key]})
            examples = module.examples()
            _write_extra(run, module, card, examples, folders[key] / EXTRA)
            jobs.append((folders[key], module, examples, tolerance))
        verify(jobs)
    return targets


def bytes_of(model: keras.Model) -> int:
    """The size of a model's weights."""
    return sum(w.value.shape.num_elements() * w.value.dtype.size for w in model.weights)


def _write_saved_model(module: ServingModule, folder: Path) -> None:
    functions = {
        name: _concrete(specs, function) for name, (specs, function) in module.signatures().items()
    }
    if "serving_default" not in functions:
        raise ValueError(f"{type(module).__name__} has no signature 'serving_default'")
    holder = tf.Module()
    holder.parts = [_tracked(item) for item in module.trackables()]
    holder.used = [variable for each in functions.values() for variable in each.variables]
    for name, variable in module.attributes().items():
        setattr(holder, name, variable)
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


def _write_extra(
    run: Run, module: ServingModule, card: str, examples: Examples, folder: Path
) -> None:
    configs.save(run.config, folder / "config.yaml")
    write_text(folder / "README.md", card)
    specs, _ = module.signatures()["serving_default"]
    write_text(folder / "request.json", f"{example_request(specs, examples)}\n")
    for name, text in module.extra_assets().items():
        write_text(folder / name, text)


def metrics_of(run: Run) -> dict[str, Any]:
    """The final evaluation of a run; empty if there was none."""
    file = run.folder / "metrics.json"
    return read_json(file) if file.is_file() else {}
