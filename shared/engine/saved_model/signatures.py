"""Calls the signatures of a loaded model with whole batches and scalar options."""

from typing import Any

import numpy as np
import tensorflow as tf

from shared.common.errors import KerasuiteError
from shared.engine.saved_model.loaded_model import LoadedModel


def call_signature(model: LoadedModel, name: str, **inputs: Any) -> dict[str, np.ndarray]:
    """Calls any signature of a loaded model with whole batches."""
    function = model.module.signatures[name]
    specs = function.structured_input_signature[1]
    tensors = {key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()}
    return {key: value.numpy() for key, value in function(**tensors).items()}


def require_signature(model: LoadedModel, name: str) -> None:
    """Raises a KerasuiteError if a model lacks a signature."""
    if name not in model.module.signatures:
        raise KerasuiteError(
            f"{model.path} has no signature {name} (it has {', '.join(model.module.signatures)}); "
            "give a model that was exported for this task"
        )
