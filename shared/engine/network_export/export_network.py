"""Writes the network of a task in another format than SavedModel.

    exports/<format>/<task>/<name>/<version>/
        model.<suffix>              the network: images or token ids to outputs
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
from shared.common.console import console
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_folder, write_json, write_text
from shared.common.task_names import command_group
from shared.engine.app import App, ServingModule
from shared.engine.network_export import verify_network
from shared.engine.network_export.formats import FORMATS
from shared.engine.network_export.network_format import Inputs, NetworkFormat
from shared.engine.network_export.quantization import (
    calibration_images,
    metrics_before_and_after,
)
from shared.engine.run import Run
from shared.engine.saved_model.export import TOLERANCES, bytes_of, metrics_of
from shared.engine.saved_model.export_target import (
    SPARE_BYTES,
    check_name,
    check_target,
    clean_failure,
    version_folder,
)
from shared.engine.saved_model.exportable_network import ExportableNetwork
from shared.engine.saved_model.saved_models import SIDECAR
from shared.engine.saved_model.verification import full_float32, require_no_problems
from shared.engine.training.card import card_text
from shared.engine.training.next_steps import typed

# The folder that this project's packages lie in.
PROJECT = Path(__file__).parents[3]


def export_network(
    app: App,
    run: Run,
    model: keras.Model,
    root: Path,
    *,
    format: str,
    name: str | None = None,
    int8: bool = False,
) -> dict[str, Path]:
    """Writes and verifies the networks of a trained model.

    Args:
        app: the application.
        run: the run that `model` belongs to.
        model: the model with its best weights.
        root: folder of all exports in this format, usually `exports/<format>`.
        format: a name in `FORMATS`.
        name: folder below the task; by default the run's name.
        int8: whether to quantise it; `refuse_impossible` says where that is not possible.

    Returns:
        Key of `app.serving` ("" when there is one) to the file of the network.

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
    modules = app.serving(run, model)
    for module in modules.values():
        refuse_impossible(module, app.name, int8)
    files = {}
    for key, module in modules.items():
        facts = module.facts()
        target = version_folder(base / (f"{name}-{key}" if key else name), None)
        with clean_failure(base, [target.parent]), atomic_folder(target) as folder:
            file = folder / writer.file_name
            calibration = list(calibration_images(app, run)) if int8 else None
            write_network(writer, module, file, calibration)
            if int8:
                metrics = metrics_before_and_after(app, run, model, writer.load(file))
                say_metrics(metrics)
                facts |= {"quantization": {"type": "int8", "before_and_after": metrics}}
            write_json(folder / SIDECAR, sidecar(app, module, writer, file) | facts)
            configs.save(run.config, folder / "config.yaml")
            usage = _usage(app, writer, module, target / writer.file_name, writer.modules(file))
            card = card_text(app, run, metrics_of(run), targets={"": target}, usage=usage)
            write_text(folder / "README.md", card)
            for asset, text in module.extra_assets().items():
                write_text(folder / asset, text)
            verify_network_file(writer, module, file, TOLERANCES[run.config.precision], int8)
        files[key] = target / writer.file_name
    return files


def refuse_impossible(module: ServingModule, task: str, int8: bool) -> None:
    """Raises KerasuiteError where a network cannot be exported alone, or not in int8."""
    if not isinstance(module, ExportableNetwork):
        raise KerasuiteError(
            f"--format: this model of {task} has no network with fixed inputs and outputs; export "
            f"it as a SavedModel, without --format"
        )
    if int8 and not module.quantizable:
        raise KerasuiteError(
            f"--quantize int8: there is no calibration for {task}; leave it out, or use it with "
            f"classify or detect"
        )


def say_metrics(metrics: dict[str, list[float]]) -> None:
    """Prints what quantisation changed, a metric a line."""
    console.print("On the validation data, before and after --quantize int8:")
    for metric, (before, after) in metrics.items():
        console.print(f"  {metric:24} {before:.6g} -> {after:.6g}", highlight=False)


def write_network(
    writer: NetworkFormat,
    module: ExportableNetwork,
    file: Path,
    calibration: Inputs | None = None,
) -> None:
    """Converts the network of a module.

    Args:
        writer: the format.
        module: the serving module.
        file: the file to write.
        calibration: see `NetworkFormat.write`.

    Raises:
        KerasuiteError: if it cannot be converted.
    """
    try:
        writer.write(module.for_export(), module.specs(), file, calibration)
    except KerasuiteError:
        raise
    except Exception as error:  # Converters raise anything.
        reason = writer.reason(error)
        raise KerasuiteError(
            f"--format {writer.name}: the network cannot be converted ({reason}); export it "
            f"without --format, as a SavedModel"
        ) from error


def sidecar(
    app: App, module: ExportableNetwork, writer: NetworkFormat, file: Path
) -> dict[str, Any]:
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
        "input": module.input_facts(),
        "outputs": writer.outputs(file),
        "values": values,
        "modules": writer.modules(file),
    }


def verify_network_file(
    writer: NetworkFormat,
    module: ExportableNetwork,
    file: Path,
    tolerance: float,
    int8: bool = False,
) -> None:
    """Compares the file with the live model, which is not folded, in a fresh process.

    What int8 changes is judged by the metrics; here the file is compared with itself, as its
    runtime computes it in this process.

    Args:
        writer: the format.
        module: the serving module with the live model.
        file: the file that `write_network` wrote.
        tolerance: float. Largest difference, times the largest magnitude or one.
        int8: whether the file is in int8.
    """
    live = writer.load(file) if int8 else module.live_outputs
    names = list(writer.outputs(file))
    cases = []
    for inputs in module.trials():
        with full_float32():
            outputs = live(inputs if int8 else _tensors(inputs))
        named = outputs if isinstance(outputs, Mapping) else {names[0]: outputs}
        cases.append({"inputs": _encoded(inputs), "expected": _encoded(named)})
    job = {
        "file": str(file.absolute()),
        "tolerance": tolerance,
        "cases": cases,
        "modules": writer.modules(file),
        "root": str(PROJECT),
    }
    require_no_problems(Path(verify_network.__file__), [job])


def _tensors(inputs: dict[str, np.ndarray]) -> dict[str, tf.Tensor]:
    return {name: tf.constant(value) for name, value in inputs.items()}


def _encoded(values: Mapping[str, Any]) -> dict[str, str]:
    """Arrays and tensors as text; numbers of any float type as float32."""
    arrays = {key: keras.ops.convert_to_numpy(value) for key, value in values.items()}
    return {
        key: verify_network.encode(array if array.dtype.kind in "iu" else array.astype("float32"))
        for key, array in arrays.items()
    }


USAGE = """\
## Network

`{name}` is the network alone: {inputs}, to its outputs.
`model.json` says what belongs before and after it.{predict}{needs}

{example}"""


def _usage(
    app: App, writer: NetworkFormat, module: ExportableNetwork, file: Path, needs: list
) -> str:
    """The section of the card on how to call the network."""
    command = f"kerasuite {command_group(app.name)} {app.predict_verb} {typed(file)} INPUT..."
    names = list(module.specs())
    arguments = {
        "onnx": ", ".join(names),
        "keras": names[0] if len(names) == 1 else _as_dict(names),
        "litert": ", ".join(f"{name}={name}" for name in names),
    }
    return USAGE.format(
        name=file.name,
        inputs=module.input_words,
        predict=f" `{command}` computes all of that." if app.predicts_networks else "",
        needs=f" To load it, import {', '.join(needs)} of kerasuite before." if needs else "",
        example=writer.usage.format(
            file=str(file), names=", ".join(names), arguments=arguments[writer.name]
        ),
    )


def _as_dict(names: list[str]) -> str:
    return "{" + ", ".join(f'"{name}": {name}' for name in names) + "}"
