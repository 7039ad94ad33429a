"""A SavedModel as batch inference needs it: checked, fingerprinted, rows in and rows out."""

import contextlib
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.common.errors import KerasuiteError
from shared.common.packages import TENSORFLOW_TEXT_MEND, require_package
from shared.engine.saved_model.saved_models import SIDECAR, is_network_file


class WrongModelError(KerasuiteError):
    """The SavedModel is not one of this task."""


class LoadedModel:
    """A SavedModel loaded with TensorFlow alone, called with single examples.

    Args:
        path: folder of the SavedModel.
        signature: str. The signature to call.

    Attributes:
        path: Path of the folder, for assets.
        module: the loaded object; other signatures are `module.signatures[name]`.
        inputs: dict of input name to TensorSpec, in the order of the signature.
        outputs: list of output names.

    Raises:
        KerasuiteError: if it is no SavedModel, cannot be loaded or lacks the signature.
    """

    def __init__(self, path: str | os.PathLike, signature: str = "serving_default"):
        self.path = Path(path)
        require_saved_model(self.path)
        self.module = _load(self.path)
        found = self.module.signatures
        if signature not in found:
            raise KerasuiteError(
                f"{self.path} has no signature {signature} (it has {', '.join(found) or 'none'}); "
                "give a model that was exported for this task"
            )
        self.signature = signature
        self._function = found[signature]
        self.inputs = self._function.structured_input_signature[1]
        self.outputs = list(self._function.structured_outputs)

    def require(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Refuses a model of another task.

        Raises:
            WrongModelError: if the signature lacks one of these inputs or outputs.
        """
        for kind, wanted, found in (
            ("input", inputs, list(self.inputs)),
            ("output", outputs, self.outputs),
        ):
            for name in wanted:
                if name not in found:
                    raise WrongModelError(
                        f"{self.path} is not a model of this task: {self.signature} has no "
                        f"{kind} {name} (it has {', '.join(found)}); give the right model"
                    )

    def __call__(self, examples: Sequence[dict]) -> list[dict[str, np.ndarray]]:
        """Stacks the examples, calls the signature and takes the outputs apart again.

        Args:
            examples: dicts of input name to bytes, str or array without the batch axis.

        Returns:
            One dict of output name to array for each example.
        """
        self.require(list(examples[0]), ())
        import tensorflow as tf

        missing = [name for name in self.inputs if name not in examples[0]]
        if missing:
            raise WrongModelError(
                f"{self.path} is not a model of this task: {self.signature} wants the input "
                f"{missing[0]}; give the right model"
            )
        batch = {
            name: tf.constant(_stack([example[name] for example in examples]), dtype=spec.dtype)
            for name, spec in self.inputs.items()
        }
        outputs = {name: value.numpy() for name, value in self._function(**batch).items()}
        return [{name: value[i] for name, value in outputs.items()} for i in range(len(examples))]


def require_saved_model(path: Path) -> None:
    """Raises a KerasuiteError if the folder is no SavedModel."""
    if not (path / "saved_model.pb").is_file():
        raise KerasuiteError(
            f"MODEL {path} is no SavedModel (it holds no saved_model.pb); give the folder that "
            "export wrote"
        )


def _stack(values: list) -> list | np.ndarray:
    return values if isinstance(values[0], (bytes, str)) else np.stack(values)


def _load(path: Path):
    # Registers the operations of tokenizers; a model without them loads without it.
    with contextlib.suppress(Exception):
        import tensorflow_text  # noqa: F401
    import tensorflow as tf

    try:
        return tf.saved_model.load(str(path))
    except Exception as error:
        if "Op type not registered" in str(error):
            require_package("tensorflow_text", str(path), TENSORFLOW_TEXT_MEND)
        raise KerasuiteError(f"{path} cannot be loaded: {one_line(error)}") from error


def fingerprint(path: str | os.PathLike) -> str:
    """A digest of an export's graph, weights and assets, wherever it lies.

    The index of the variables stands for the weights: it holds a checksum of every tensor.
    """
    path = Path(path)
    if is_network_file(path):
        return _digest(path.parent, [path, path.with_name(SIDECAR)])
    require_saved_model(path)
    files = [path / "saved_model.pb", path / "variables" / "variables.index"]
    files += sorted(file for file in (path / "assets").glob("**/*") if file.is_file())
    return _digest(path, files)


def _digest(folder: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            with open(file, "rb") as content:
                name = file.relative_to(folder).as_posix()
                digest.update(
                    f"{name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode()
                )
    return digest.hexdigest()


def one_line(error: BaseException) -> str:
    """The message of an exception, without TensorFlow's node names and stack."""
    if isinstance(error, KerasuiteError):
        return str(error)
    text = re.split(r"\s*\[\[\{\{node|\s*\[Op:", str(error))[0]
    noise = ("Graph execution error", "Detected at node", "<stack traces", "File ", "Stack trace")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(noise)]
    return " ".join(lines) or type(error).__name__
