"""Weights between a checkpoint and the suite's own layers."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.bert.checkpoint.checkpoint import Checkpoint
from apps.bert.checkpoint.names import (
    COPIES,
    OPTIONAL,
    TIED_DECODER,
    WORD_EMBEDDINGS,
    Weight,
    encoder_weights,
    masked_lm_weights,
    next_sentence_weights,
)
from apps.bert.encoder_config import EncoderConfig
from shared.common.checkpoint_tensors import checked_tensor
from shared.common.errors import KerasuiteError

if TYPE_CHECKING:
    import keras

    from apps.bert.encoder import BertEncoder

# === From a checkpoint ===


def load_encoder(checkpoint: Checkpoint, encoder: "BertEncoder") -> list[str]:
    """Loads the weights of a checkpoint into an encoder.

    Args:
        checkpoint: the checkpoint.
        encoder: an encoder of its shape; an encoder with fewer blocks takes the first ones.

    Returns:
        The parts that the checkpoint lacks, such as "pooler"; they stay unchanged.

    Raises:
        KerasuiteError: if another tensor is missing, or a tensor has a wrong shape.
    """
    ours, theirs = encoder.config, checkpoint.config
    if ours.embedding_dim and (ours.embedding_dim, ours.sum_width) != (
        theirs.embedding_dim,
        theirs.sum_width,
    ):
        raise KerasuiteError(
            f"{checkpoint.source}: holds token embeddings in one matrix, not factorised ones; "
            f"start without --embedding-dim and factorise the encoder afterwards"
        )
    variables = _encoder_variables(encoder)
    present, missing = _present(
        checkpoint, encoder_weights(encoder.config, encoder.vocabulary_size)
    )
    for weight in present:
        variables[weight.variable].assign(_read_weight(checkpoint, weight))
    return missing


def load_pretraining_heads(checkpoint: Checkpoint, heads: Any) -> list[str]:
    """Loads the weights of a checkpoint into the pretraining heads.

    Args:
        checkpoint: the checkpoint.
        heads: object with the built layers `transform` (Dense) and `norm` (LayerNormalization) and
            the variable `bias` (V,) of the masked-LM head, and `next_sentence`, a Dense or None.

    Returns:
        The parts that the checkpoint lacks: "masked-LM head", "next-sentence head".

    Raises:
        KerasuiteError: if a part is incomplete, a shape is wrong, or the masked-LM head has an
            output matrix of its own.
    """
    present, missing = _present(checkpoint, _heads_weights(heads))
    _check_tied(checkpoint)
    for weight in present:
        _head_variable(heads, weight).assign(_read_weight(checkpoint, weight))
    return missing


def checked_tensors(checkpoint: Checkpoint) -> tuple[dict[str, np.ndarray], list[str]]:
    """All tensors of the encoder and of the pretraining heads.

    Returns:
        The tensors by name, and the parts that the checkpoint lacks.

    Raises:
        KerasuiteError: as `load_encoder` and `load_pretraining_heads`.
    """
    width, words = checkpoint.config.hidden_dim, len(checkpoint.vocabulary)
    weights = [
        *encoder_weights(checkpoint.config, words),
        *masked_lm_weights(width, words, checkpoint.config.embedding_dim or width),
        *next_sentence_weights(width),
    ]
    present, missing = _present(checkpoint, weights)
    tensors = {
        name: checked_tensor(checkpoint.tensors, name, weight.tensor_shape, checkpoint.source)
        for weight in present
        for name in weight.tensors
    }
    _check_tied(checkpoint)
    return tensors, missing


def _read_weight(checkpoint: Checkpoint, weight: Weight) -> np.ndarray:
    """The value of a variable."""
    shape, source = weight.tensor_shape, checkpoint.source
    return weight.join(
        [checked_tensor(checkpoint.tensors, name, shape, source) for name in weight.tensors]
    )


def _present(checkpoint: Checkpoint, weights: Iterable[Weight]) -> tuple[list[Weight], list[str]]:
    """The weights that the checkpoint must have, and the optional parts that it lacks."""
    present, missing = [], {}
    for weight in weights:
        part = next((p for p in OPTIONAL if weight.tensors[0].startswith(OPTIONAL[p])), None)
        if part is None or _has_part(checkpoint, part):
            present.append(weight)
        else:
            missing[part] = None
    return present, list(missing)


def _has_part(checkpoint: Checkpoint, part: str) -> bool:
    names = (name for name in checkpoint.tensors if name not in COPIES)
    return any(name.startswith(OPTIONAL[part]) for name in names)


def _check_tied(checkpoint: Checkpoint) -> None:
    if TIED_DECODER not in checkpoint.tensors:
        return
    if not np.array_equal(checkpoint.tensors[TIED_DECODER], checkpoint.tensors[WORD_EMBEDDINGS]):
        raise KerasuiteError(
            f"{checkpoint.source}: the tensor '{TIED_DECODER}' is not equal to the word "
            f"embeddings; a masked-LM head with a matrix of its own is not supported"
        )


# === To a checkpoint ===


def encoder_tensors(encoder: "BertEncoder") -> dict[str, np.ndarray]:
    """All tensors of an encoder, for an equivalent BERT of Hugging Face.

    Hugging Face's BERT has neither factorised embeddings nor blocks with fewer heads: the factors
    are multiplied, and pruned heads are restored as zeros, which add nothing.
    """
    values = {path: np.asarray(variable) for path, variable in _encoder_variables(encoder).items()}
    _multiply_embeddings(values)
    for index in range(encoder.config.num_layers):
        _pad_heads(values, f"block_{index}/attention", encoder.config.hidden_dim)
    return _split(values, encoder_weights(whole_config(encoder), encoder.vocabulary_size))


def whole_config(encoder: "BertEncoder") -> EncoderConfig:
    """The configuration of an encoder without pruned heads and factorised embeddings."""
    return dataclasses.replace(encoder.config, heads_per_layer=(), embedding_dim=0)


def heads_tensors(heads: Any) -> dict[str, np.ndarray]:
    """All tensors of the pretraining heads; see `load_pretraining_heads`."""
    weights = _heads_weights(heads)
    values = {weight.variable: np.asarray(_head_variable(heads, weight)) for weight in weights}
    return _split(values, weights)


def _split(values: Mapping[str, np.ndarray], weights: Iterable[Weight]) -> dict[str, np.ndarray]:
    return {
        name: tensor
        for weight in weights
        for name, tensor in weight.split(values[weight.variable]).items()
    }


def _multiply_embeddings(values: dict[str, np.ndarray]) -> None:
    kernel = values.get("embedding_projection/kernel")
    if kernel is not None:
        narrow = values["token_embedding/embeddings"].astype(np.float64)
        wide = narrow @ kernel + values["embedding_projection/bias"]
        values["token_embedding/embeddings"] = wide.astype(np.float32)


def _pad_heads(values: dict[str, np.ndarray], attention: str, width: int) -> None:
    """Pads queries, keys, values and the rows of the output matrix with zeros."""
    absent = width - values[f"{attention}/query_key_value/bias"].shape[-1] // 3
    for name in ("kernel", "bias"):
        path = f"{attention}/query_key_value/{name}"
        parts = np.split(values[path], 3, axis=-1)
        values[path] = np.concatenate([_pad(part, absent) for part in parts], axis=-1)
    output = f"{attention}/output/kernel"
    values[output] = _pad(values[output].T, absent).T


def _pad(array: np.ndarray, count: int) -> np.ndarray:
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, count)])


# === Variables by path ===


def _encoder_variables(encoder: "BertEncoder") -> "dict[str, keras.Variable]":
    if not encoder.built:
        encoder.build()
    return {
        variable.path.removeprefix(f"{encoder.path}/"): variable for variable in encoder.weights
    }


def _heads_weights(heads: Any) -> list[Weight]:
    width, words = heads.transform.kernel.shape[0], heads.bias.shape[0]
    weights = masked_lm_weights(width, words, heads.transform.kernel.shape[1])
    if getattr(heads, "next_sentence", None) is not None:
        weights += next_sentence_weights(width)
    return weights


def _head_variable(heads: Any, weight: Weight) -> "keras.Variable":
    layer, _, name = weight.variable.rpartition("/")
    return getattr(getattr(heads, layer) if layer else heads, name)
