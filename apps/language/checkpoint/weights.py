"""Weights between a GPT-2 checkpoint and the suite's own layers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from shared.common.checkpoint_tensors import checked_tensor

if TYPE_CHECKING:
    import keras

    from apps.language.transformer_language_model import TransformerLanguageModel

PREFIX = "transformer."
TOKENS = "wte.weight"
OUTPUT = "lm_head.weight"
# Ours within a block to theirs: both have (in, out) matrices, and queries, keys and values side by
# side in one.
BLOCK = {
    "attention_norm/gamma": "ln_1.weight",
    "attention_norm/beta": "ln_1.bias",
    "attention/query_key_value/kernel": "attn.c_attn.weight",
    "attention/query_key_value/bias": "attn.c_attn.bias",
    "attention/output/kernel": "attn.c_proj.weight",
    "attention/output/bias": "attn.c_proj.bias",
    "feed_forward_norm/gamma": "ln_2.weight",
    "feed_forward_norm/beta": "ln_2.bias",
    "feed_forward/expand/kernel": "mlp.c_fc.weight",
    "feed_forward/expand/bias": "mlp.c_fc.bias",
    "feed_forward/reduce/kernel": "mlp.c_proj.weight",
    "feed_forward/reduce/bias": "mlp.c_proj.bias",
}
OUTSIDE = {
    "embedding/embeddings": TOKENS,
    "positions/positions/embeddings": "wpe.weight",
    "norm/gamma": "ln_f.weight",
    "norm/beta": "ln_f.bias",
}
UNTIED = "embedding/reverse_embeddings"
# Masks of the attention, which old files hold.
BUFFERS = (".attn.bias", ".attn.masked_bias")


def canonical_name(name: str) -> str:
    """The name of a tensor as the model without its head has it."""
    return name.removeprefix(PREFIX)


def names_of(model: "TransformerLanguageModel") -> dict[str, str]:
    """The name of a tensor for each variable's path."""
    names = dict(OUTSIDE)
    for index in range(model.config.num_layers):
        names |= {f"block_{index}/{ours}": f"h.{index}.{BLOCK[ours]}" for ours in BLOCK}
    return names if model.config.tie_embeddings else {**names, UNTIED: OUTPUT}


def load_weights(
    tensors: Mapping[str, np.ndarray],
    model: "TransformerLanguageModel",
    order: np.ndarray,
    source: str,
) -> list[str]:
    """Loads the tensors of a checkpoint into a model.

    Args:
        tensors: by their names, see `canonical_name`.
        model: a built model of their shape.
        order: int32 (V,). The checkpoint's id of each token.
        source: the checkpoint's name in messages.

    Returns:
        Names of the tensors that are not used.

    Raises:
        KerasuiteError: if one is missing, or has a wrong shape.
    """
    names = names_of(model)
    for path, variable in _variables(model).items():
        # An output matrix of its own is (V, D) there, and (D, V) here.
        shape = tuple(variable.shape)
        shape = shape[::-1] if path == UNTIED else shape
        tensor = checked_tensor(tensors, names[path], shape, source)
        if path in ("embedding/embeddings", UNTIED):
            tensor = tensor[order]
        variable.assign(tensor.T if path == UNTIED else tensor)
    used = set(names.values())
    return [
        name
        for name in tensors
        if name not in used and not name.endswith(BUFFERS) and not _is_copy(tensors, name)
    ]


def _is_copy(tensors: Mapping[str, np.ndarray], name: str) -> bool:
    """Whether a tensor is the output matrix, equal to the embedding."""
    return name == OUTPUT and np.array_equal(tensors[name], tensors[TOKENS])


def tensors_of(model: "TransformerLanguageModel", order: np.ndarray) -> dict[str, np.ndarray]:
    """The tensors of a model, by the names of `GPT2LMHeadModel`.

    Args:
        model: the model.
        order: int32 (V,). The checkpoint's id of each token.
    """
    found, rows = {}, np.argsort(order)
    names = names_of(model)
    for path, variable in _variables(model).items():
        tensor = np.asarray(variable)
        tensor = tensor.T if path == UNTIED else tensor
        name = names[path] if names[path] == OUTPUT else PREFIX + names[path]
        found[name] = tensor[rows] if path in ("embedding/embeddings", UNTIED) else tensor
    return found


def _variables(model: "TransformerLanguageModel") -> "dict[str, keras.Variable]":
    return {v.path.removeprefix(f"{model.name}/"): v for v in model.trainable_variables}
