"""Writes the network of a task of images in another format than SavedModel.

    exports/<format>/<task>/<name>/<version>/
        model.<format>              the network: images to outputs, normalisation inside
        model.json                  what belongs around it: see `sidecar`
        config.yaml, README.md      the run's configuration and the model card
        labels.txt ...              `ServingModule.extra_assets()`

Decoding, resizing and the way from outputs to answers stay outside; `predict` computes them with
the functions of the SavedModel, see `network_model.py`. Written, verified and moved into place as a
SavedModel is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.common import config as configs
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder, write_json, write_text
from shared.common.task_names import command_group
from shared.engine.app import App
from shared.engine.network_export import verify_network
from shared.engine.network_export.formats import FORMATS
from shared.engine.network_export.network_format import NetworkFormat
from shared.engine.run import Run
from shared.engine.saved_model.export import TOLERANCES, bytes_of, metrics_of
from shared.engine.saved_model.export_target import (
    SPARE_BYTES,
    check_name,
    check_target,
    clean_failure,
    version_folder,
)
from shared.engine.saved_model.fold_batch_norm import fold_batch_norm
from shared.engine.saved_model.network_serving import NetworkServing
from shared.engine.saved_model.saved_models import SIDECAR
from shared.engine.saved_model.verification import full_float32, require_no_problems
from shared.engine.training.card import card_text
from shared.engine.training.next_steps import typed

# Images of the verification, (number, height, width) where a side is free: unequal ones.
TRIED = ((2, (40, 24)), (1, (17, 33)))


def export_network(
    app: App, run: Run, model: keras.Model, root: Path, *, format: str, name: str | None = None
) -> Path:
    """Writes and verifies the network of a trained model.

    Args:
        app: the application.
        run: the run that `model` belongs to.
        model: the model with its best weights.
        root: folder of all exports in this format, usually `exports/<format>`.
        format: a name in `FORMATS`.
        name: folder below the task; by default the run's name.

    Returns:
        The file of the network.

    Raises:
        KerasuiteError: if a package is missing, the target cannot be written, the network cannot
            be converted, or it answers other than the live model. Nothing is left behind then.
    """
    writer = FORMATS[format]
    writer.require()
    name = name or run.config.name or run.folder.resolve().name
    check_name(name, None)
    base = Path(root) / app.name
    check_target(base, bytes_of(model) + SPARE_BYTES)
    (module,) = app.serving(run, model).values()
    facts = module.facts()
    target = version_folder(base / name, None)
    with clean_failure(base, [target.parent]), atomic_folder(target) as folder:
        file = folder / writer.file_name
        _write(writer, module, file)
        write_json(folder / SIDECAR, sidecar(app, module, writer, file) | facts)
        configs.save(run.config, folder / "config.yaml")
        usage = _usage(app, writer, target / writer.file_name)
        card = card_text(app, run, metrics_of(run), targets={"": target}, usage=usage)
        write_text(folder / "README.md", card)
        for asset, text in module.extra_assets().items():
            write_text(folder / asset, text)
        _verify(writer, module, file, TOLERANCES[run.config.precision])
    return target / writer.file_name


def _write(writer: NetworkFormat, module: NetworkServing, file: Path) -> None:
    network = fold_batch_norm(module.network, dtype="float32")
    try:
        writer.write(network, module.image_spec, file)
    except Exception as error:  # Converters raise anything.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise KerasuiteError(
            f"--format {writer.name}: the network cannot be converted ({reason}); export it "
            f"without --format, as a SavedModel"
        ) from error


def sidecar(app: App, module: NetworkServing, writer: NetworkFormat, file: Path) -> dict[str, Any]:
    """Inputs, outputs and `facts` of an exported network, as JSON for the programs that call it.

    Args:
        app: the application.
        module: its serving module.
        writer: the format.
        file: the network, as it is written.
    """
    values = {name: value.numpy() for name, value in module.attributes().items()}
    return {
        "format": writer.name,
        "task": app.name,
        "input": {
            "shape": list(module.image_spec.shape),
            "type": "float32",
            "axes": "images, rows, columns, RGB",
            "range": [0, 255],
            "normalisation": "part of the network",
        },
        "outputs": writer.outputs(file),
        "values": values,
    }


def _verify(writer: NetworkFormat, module: NetworkServing, file: Path, tolerance: float) -> None:
    """Compares the file with the live model, which is not folded, in a fresh process."""
    generator = np.random.default_rng(0)
    names = list(writer.outputs(file))
    cases = []
    for count, others in TRIED:
        fixed = module.image_spec.shape[1:3]
        sides = [side or other for side, other in zip(fixed, others, strict=True)]
        images = generator.uniform(0, 255, (count, *sides, 3)).astype(np.float32)
        with full_float32():
            outputs = module.outputs_of(tf.constant(images))
        named = outputs if isinstance(outputs, Mapping) else {names[0]: outputs}
        expected = {
            key: verify_network.encode(tf.cast(value, tf.float32).numpy())
            for key, value in named.items()
        }
        cases.append({"images": verify_network.encode(images), "expected": expected})
    job = {"file": str(file.absolute()), "tolerance": tolerance, "cases": cases}
    require_no_problems(Path(verify_network.__file__), [job])


USAGE = """\
## Network

`{name}` is the network alone: float32 images (N, height, width, 3), RGB from 0 to 255, to its
outputs. Normalisation is part of it; `model.json` says what belongs before and after it.
`kerasuite {group} {verb} {file} INPUT...` computes all of that.

{example}"""


def _usage(app: App, writer: NetworkFormat, file: Path) -> str:
    """The section of the card on how to call the network."""
    return USAGE.format(
        name=file.name,
        group=command_group(app.name),
        verb=app.predict_verb,
        file=typed(file),
        example=writer.usage.format(file=str(file)),
    )
