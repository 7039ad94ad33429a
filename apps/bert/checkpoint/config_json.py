"""Configuration of an encoder in config.json (Hugging Face) and bert_config.json (Google)."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.bert.encoder_config import EncoderConfig
from shared.common import config as configs
from shared.common.checkpoint_config import named_activation, short
from shared.common.errors import KerasuiteError
from shared.text.added_tokens import MAX_TOKENS

# Their names of activations, ours first where there are several.
ACTIVATIONS = {
    "gelu": ("gelu", "gelu_python"),
    "gelu_tanh": ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"),
    "relu": ("relu",),
}

# Our name of a setting to theirs, by the type of model.
BERT = {
    "num_layers": "num_hidden_layers",
    "hidden_dim": "hidden_size",
    "num_heads": "num_attention_heads",
    "intermediate_dim": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "num_segments": "type_vocab_size",
    "epsilon": "layer_norm_eps",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
}
DISTILBERT = {
    "num_layers": "n_layers",
    "hidden_dim": "dim",
    "num_heads": "n_heads",
    "intermediate_dim": "hidden_dim",
    "max_positions": "max_position_embeddings",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
}
ELECTRA = {**BERT, "embedding_dim": "embedding_size"}
SETTINGS = {
    "bert": BERT, "distilbert": DISTILBERT, "roberta": BERT, "electra": ELECTRA, "albert": ELECTRA,
}  # fmt: skip
ACTIVATION_KEYS = {"distilbert": "activation"}
# RoBERTa's positions begin behind that of the padding.
PADDING_KEY = "pad_token_id"
REQUIRED = ("num_layers", "hidden_dim", "num_heads", "intermediate_dim")

# Far beyond any encoder: what exceeds these would only fill the memory.
MAX_LAYERS, MAX_SIZE = 1_000, 1_000_000

# Options that change what is computed, with the only value that the encoder has.
FIXED = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
    "quantization_config": None,
    "num_hidden_groups": 1,
    "inner_group_num": 1,
}


def model_type(path: Path, values: Mapping[str, Any]) -> str:
    """The model type, one of SETTINGS; files without one are BERT's.

    Raises:
        KerasuiteError: for any other type.
    """
    name = str(values.get("model_type", "bert"))
    if name not in SETTINGS:
        raise KerasuiteError(
            f"{path}: model_type '{name}' is not supported; give a checkpoint of type bert (also "
            f"MiniLM, the Chinese, small and multilingual BERTs), distilbert, electra, roberta or "
            f"albert"
        )
    return name


def vocabulary_size(path: Path, values: Mapping[str, Any]) -> int:
    """Rows of the token embedding.

    Raises:
        KerasuiteError: if the file does not have the number.
    """
    size = values.get("vocab_size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise KerasuiteError(f"{path}: has no number 'vocab_size'; fetch it again")
    _check_limit(path, "vocab_size", size, MAX_TOKENS)
    return size


def _check_limit(path: Path, name: str, value: Any, limit: int) -> None:
    if isinstance(value, int | float) and value > limit:
        raise KerasuiteError(
            f"{path}: {name} is {short(value)}, more than {limit:,}; it is damaged: fetch it again"
        )


def to_encoder_config(path: Path, values: Mapping[str, Any]) -> EncoderConfig:
    """The configuration of the encoder.

    Args:
        path: the file, for error messages.
        values: its content.

    Raises:
        KerasuiteError: if `BertEncoder` does not support the model, or a value is missing.
    """
    family = model_type(path, values)
    for name, only in FIXED.items():
        if values.get(name, only) != only:
            raise KerasuiteError(
                f"{path}: {name} {short(values[name])} is not supported, only {short(only)}; "
                f"give another checkpoint"
            )
    given = {ours: values[theirs] for ours, theirs in SETTINGS[family].items() if theirs in values}
    for ours in REQUIRED:
        if ours not in given:
            raise KerasuiteError(f"{path}: has no '{SETTINGS[family][ours]}'; fetch it again")
    for ours, value in given.items():
        limit = MAX_LAYERS if ours == "num_layers" else MAX_SIZE
        _check_limit(path, SETTINGS[family][ours], value, limit)
    given["activation"] = _activation(path, values, ACTIVATION_KEYS.get(family, "hidden_act"))
    if family == "roberta":
        given["max_positions"] = _positions_behind_padding(path, values)
    elif family == "albert":
        given |= {"sum_width": "embedding", "shared_layers": True}
    elif family == "electra":
        given |= _electra_widths(given)
    config = configs.from_dict(EncoderConfig, given, str(path))
    if config.hidden_dim % config.num_heads:
        raise KerasuiteError(
            f"{path}: {config.hidden_dim} dimensions do not divide by {config.num_heads} heads; "
            f"fetch it again"
        )
    return _with_pruned_heads(path, config, values.get("pruned_heads"))


def _positions_behind_padding(path: Path, values: Mapping[str, Any]) -> int:
    """The positions that tokens can have: those from the padding's on are not used."""
    positions = values.get(BERT["max_positions"], 512)
    first = padding(path, values) + 1
    if type(positions) is not int or positions <= first:
        raise KerasuiteError(
            f"{path}: max_position_embeddings is {short(positions)}, not a number above {first}; "
            f"fetch it again"
        )
    return positions - first


def padding(path: Path, values: Mapping[str, Any]) -> int:
    """The id of the padding in a RoBERTa."""
    number = values.get(PADDING_KEY, 1)
    if type(number) is not int or not 0 <= number < 1000:
        raise KerasuiteError(
            f"{path}: {PADDING_KEY} is {short(number)}, none of the first tokens; fetch it again"
        )
    return number


def _electra_widths(given: Mapping[str, Any]) -> dict[str, Any]:
    """Embeddings narrower than the encoder are summed before they are projected."""
    if given.get("embedding_dim", given["hidden_dim"]) == given["hidden_dim"]:
        return {"embedding_dim": 0}
    return {"sum_width": "embedding"}


def _activation(path: Path, values: Mapping[str, Any], key: str) -> str:
    theirs = values.get(key, "gelu")
    return named_activation(path, key, theirs, ACTIVATIONS)


def _with_pruned_heads(path: Path, config: EncoderConfig, pruned: Any) -> EncoderConfig:
    """The configuration without the heads of `pruned_heads`, which are listed by layer."""
    if not pruned:
        return config
    try:
        removed = {int(layer): len(set(heads)) for layer, heads in pruned.items()}
    except (AttributeError, TypeError, ValueError):
        raise KerasuiteError(f"{path}: pruned_heads {short(pruned)} names no heads") from None
    heads = tuple(config.num_heads - removed.get(index, 0) for index in range(config.num_layers))
    if min(heads) < 1:
        raise KerasuiteError(f"{path}: pruned_heads leaves a layer without heads; not supported")
    return dataclasses.replace(config, heads_per_layer=heads)


def to_json(config: EncoderConfig, vocabulary_size: int, architecture: str) -> dict[str, Any]:
    """Content of config.json; see `weights.encoder_tensors` for pruned heads.

    Args:
        config: configuration of the encoder.
        vocabulary_size: number of word pieces.
        architecture: name of the class of transformers.
    """
    return {
        "architectures": [architecture],
        "model_type": "bert",
        "vocab_size": vocabulary_size,
        **{theirs: getattr(config, ours) for ours, theirs in BERT.items()},
        "hidden_act": ACTIVATIONS[config.activation][0],
        "position_embedding_type": FIXED["position_embedding_type"],
        "initializer_range": 0.02,
        "pad_token_id": 0,
    }
