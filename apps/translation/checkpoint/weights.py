"""Weights between a Marian checkpoint and the suite's own layers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from shared.common.checkpoint_tensors import checked_tensor
from shared.text.special_tokens import PAD, START

if TYPE_CHECKING:
    import keras

    from apps.translation.transformer_translator import TransformerTranslator

SHARED = "model.shared.weight"
SIDES = {"encoder": "model.encoder", "decoder": "model.decoder"}
EMBEDDINGS = tuple(f"{side}.embed_tokens.weight" for side in SIDES.values())
OUTPUT, BIAS = "lm_head.weight", "final_logits_bias"
# Ours within a block to theirs. They have (out, in) matrices, which stand side by side here where
# several are named.
SELF_ATTENTION = {
    "attention/query_key_value": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention/output": ("self_attn.out_proj",),
    "attention_norm": ("self_attn_layer_norm",),
    "feed_forward/expand": ("fc1",),
    "feed_forward/reduce": ("fc2",),
    "feed_forward_norm": ("final_layer_norm",),
}
CROSS_ATTENTION = {
    "cross_attention/query": ("encoder_attn.q_proj",),
    "cross_attention/key_value": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "cross_attention/output": ("encoder_attn.out_proj",),
    "cross_norm": ("encoder_attn_layer_norm",),
}
BLOCKS = {"encoder": SELF_ATTENTION, "decoder": SELF_ATTENTION | CROSS_ATTENTION}
KINDS = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}
# Tensors that can be computed, or that repeat others.
COMPUTED = ("embed_positions.weight",)
# Marian's decoder begins with the padding token; ours has a token of its own, which this bias keeps
# from having any probability as a word.
NEVER = -100.0


def block_names(model: "TransformerTranslator") -> dict[str, list[str]]:
    """The names of the tensors of each variable's path within blocks."""
    found = {}
    for side, layers in BLOCKS.items():
        for index in range(len(getattr(model, f"{side}_blocks"))):
            for ours, theirs in layers.items():
                for variable in ("gamma", "beta") if ours.endswith("norm") else ("kernel", "bias"):
                    path = f"{side}_block_{index}/{ours}/{variable}"
                    start = f"{SIDES[side]}.layers.{index}"
                    found[path] = [f"{start}.{name}.{KINDS[variable]}" for name in theirs]
    return found


def load_weights(
    tensors: Mapping[str, np.ndarray],
    model: "TransformerTranslator",
    orders: tuple[np.ndarray, np.ndarray],
    source: str,
) -> list[str]:
    """Loads the tensors of a checkpoint into a model.

    Args:
        tensors: by their names.
        model: a built model of their shape.
        orders: int32 arrays. The checkpoint's id of each token of the source and the target.
        source: the checkpoint's name in messages.

    Returns:
        Names of the tensors that are not used.

    Raises:
        KerasuiteError: if one is missing, or has a wrong shape.
    """
    variables, used = variables_of(model), set()

    def read(name: str, shape: tuple[int, ...]) -> np.ndarray:
        used.add(name)
        return checked_tensor(tensors, name, shape, source)

    def embedding(name: str, order: np.ndarray) -> np.ndarray:
        name = name if name in tensors else SHARED
        # The padding token stands in the order twice.
        return read(name, (len(order) - 1, model.width))[order]

    for path, names in block_names(model).items():
        variable = variables.pop(path)
        shape = list(variable.shape)
        shape[-1] //= len(names)
        parts = [read(name, tuple(shape[::-1])).T for name in names]
        variable.assign(np.concatenate(parts, axis=-1))
    source_order, target_order = orders
    of_source, of_target = EMBEDDINGS
    variables.pop("target_embedding/embeddings").assign(embedding(of_target, target_order))
    if not model.shared_vocabulary:
        variables.pop("source_embedding/embeddings").assign(embedding(of_source, source_order))
    if not model.config.tie_embeddings:
        rows = embedding(OUTPUT, target_order)
        variables.pop("target_embedding/reverse_embeddings").assign(rows.T)
    bias = read(BIAS, (1, len(target_order) - 1))[0][target_order]
    bias[START] = NEVER
    variables.pop("output_bias").assign(bias)
    assert not variables, sorted(variables)
    return [name for name in tensors if name not in used and not _repeats(tensors, name)]


def has_one_embedding(tensors: Mapping[str, np.ndarray]) -> bool:
    """Whether the encoder and the decoder have the same embedding."""
    both = [tensors[name] for name in EMBEDDINGS if name in tensors]
    return len(both) < 2 or np.array_equal(*both)


def _repeats(tensors: Mapping[str, np.ndarray], name: str) -> bool:
    """Whether a tensor is computed, or a copy of the shared embedding."""
    if name.endswith(COMPUTED):
        return True
    copies = (OUTPUT, SHARED, *EMBEDDINGS)
    return name in copies and any(
        other in tensors and other != name and np.array_equal(tensors[name], tensors[other])
        for other in copies
    )


def tensors_of(
    model: "TransformerTranslator", orders: tuple[np.ndarray, np.ndarray]
) -> dict[str, np.ndarray]:
    """The tensors of a model, by the names of `MarianMTModel`.

    Args:
        model: the model.
        orders: see `load_weights`.
    """
    variables = {path: np.asarray(variable) for path, variable in variables_of(model).items()}
    found = {}
    for path, names in block_names(model).items():
        parts = np.split(variables[path], len(names), axis=-1)
        found |= {name: part.T for name, part in zip(names, parts, strict=True)}
    source_order, target_order = orders
    target = _in_their_order(variables["target_embedding/embeddings"], target_order)
    if model.shared_vocabulary:
        found[SHARED] = target
    else:
        source = _in_their_order(variables["source_embedding/embeddings"], source_order)
        found |= dict(zip(EMBEDDINGS, (source, target), strict=True))
    if not model.config.tie_embeddings:
        rows = variables["target_embedding/reverse_embeddings"].T
        found[OUTPUT] = _in_their_order(rows, target_order)
    # As a word, the padding token keeps the bias of its own.
    bias = variables["output_bias"].copy()
    bias[START] = bias[PAD]
    found[BIAS] = _in_their_order(bias, target_order)[None]
    return found


def _in_their_order(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows of our tokens as those of theirs; START is the padding token, with which they begin."""
    theirs = np.empty_like(rows, shape=(len(order) - 1, *rows.shape[1:]))
    theirs[order] = rows
    theirs[order[START]] = rows[START]
    return theirs


def variables_of(model: "TransformerTranslator") -> "dict[str, keras.Variable]":
    """The trainable variables of a model by path."""
    return {v.path.removeprefix(f"{model.name}/"): v for v in model.trainable_variables}
