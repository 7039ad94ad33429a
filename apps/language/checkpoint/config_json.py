"""Configuration of a GPT-2 in config.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from apps.language.config import ModelConfig
from shared.common import config as configs
from shared.common.checkpoint_config import named_activation, short
from shared.common.errors import KerasuiteError
from shared.common.messages import warn

FILE = "config.json"
MODEL_TYPE = "gpt2"
ARCHITECTURE = "GPT2LMHeadModel"

# Our name of a setting to theirs.
SETTINGS = {
    "num_layers": "n_layer",
    "hidden_dim": "n_embd",
    "num_heads": "n_head",
    "epsilon": "layer_norm_epsilon",
    "dropout": "resid_pdrop",
    "tie_embeddings": "tie_word_embeddings",
}
REQUIRED = ("n_layer", "n_embd", "n_head", "vocab_size")
# Their dropout rates, of which we have one.
DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")
POSITIONS = ("n_positions", "n_ctx")
# Names of activations, ours first where there are several.
ACTIVATIONS = {
    "gelu_tanh": ("gelu_new", "gelu_pytorch_tanh", "gelu_fast"),
    "gelu": ("gelu",),
    "relu": ("relu",),
}
# Options that change what is computed, with the only value that the network has.
FIXED = {
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "add_cross_attention": False,
    "quantization_config": None,
}
# Far beyond any model: what exceeds these would only fill the memory.
MAX_LAYERS, MAX_SIZE = 1_000, 10_000_000


class Gpt2Config(NamedTuple):
    """Settings of a checkpoint, as config.json has them.

    Attributes:
        model: the network.
        positions: int. Tokens of a window.
        vocabulary_size: int. Rows of the embedding.
        end: int. Id of the token that ends a text, and that one begins with.
    """

    model: ModelConfig
    positions: int
    vocabulary_size: int
    end: int


def to_config(path: Path, values: Mapping[str, Any]) -> Gpt2Config:
    """The configuration of a checkpoint.

    Args:
        path: the file, for error messages.
        values: its content.

    Raises:
        KerasuiteError: if it is not of a GPT-2, or says what the network does not have.
    """
    kind = values.get("model_type")
    if kind != MODEL_TYPE:
        raise KerasuiteError(
            f"{path}: model_type {short(kind)} is not supported; give a checkpoint of type gpt2"
        )
    for name, only in FIXED.items():
        if values.get(name, only) != only:
            raise KerasuiteError(
                f"{path}: {name} {short(values[name])} is not supported, only {short(only)}; "
                f"give another checkpoint"
            )
    for name in REQUIRED:
        _number(path, values, name, MAX_LAYERS if name == "n_layer" else MAX_SIZE)
    given = {ours: values[theirs] for ours, theirs in SETTINGS.items() if theirs in values}
    model = configs.from_dict(
        ModelConfig,
        {
            **given,
            "architecture": "transformer",
            "positions": "learned",
            "activation": _activation(path, values),
            "intermediate_dim": values.get("n_inner") or 0,
        },
        str(path),
    )
    if model.hidden_dim % model.num_heads:
        raise KerasuiteError(
            f"{path}: {model.hidden_dim} dimensions do not divide by {model.num_heads} heads; "
            f"fetch it again"
        )
    _tell_dropouts(path, values)
    positions = next((name for name in POSITIONS if name in values), POSITIONS[0])
    size = values["vocab_size"]
    return Gpt2Config(
        model, _number(path, values, positions, MAX_SIZE, 2), size, _end(path, values, size)
    )


def to_json(config: Gpt2Config) -> dict[str, Any]:
    """The content of config.json."""
    model = config.model
    return {
        "architectures": [ARCHITECTURE],
        "model_type": MODEL_TYPE,
        "vocab_size": config.vocabulary_size,
        **dict.fromkeys(POSITIONS, config.positions),
        **{theirs: getattr(model, ours) for ours, theirs in SETTINGS.items()},
        **dict.fromkeys(DROPOUTS, model.dropout),
        "n_inner": model.intermediate_dim or None,
        "activation_function": ACTIVATIONS[model.activation][0],
        "initializer_range": 0.02,
        "bos_token_id": config.end,
        "eos_token_id": config.end,
    }


def _number(path: Path, values: Mapping[str, Any], name: str, limit: int, least: int = 1) -> int:
    value = values.get(name)
    if type(value) is not int or not least <= value <= limit:
        raise KerasuiteError(
            f"{path}: {name} is {short(value)}, not a number from {least} to {limit:,}; "
            f"fetch it again"
        )
    return value


def _end(path: Path, values: Mapping[str, Any], size: int) -> int:
    """The token that ends a text; in GPT-2 one begins with it, too."""
    end = values.get("eos_token_id", size - 1)
    if type(end) is not int or not 0 <= end < size:
        raise KerasuiteError(
            f"{path}: eos_token_id is {short(end)}, not one of the {size:,} tokens; fetch it again"
        )
    begin = values.get("bos_token_id", end)
    if begin != end:
        warn(
            f"{path}: texts begin with token {short(begin)} there and end with {end}; here they "
            f"begin with {end}, too"
        )
    return end


def _activation(path: Path, values: Mapping[str, Any]) -> str:
    theirs = values.get("activation_function", "gelu_new")
    return named_activation(path, "activation_function", theirs, ACTIVATIONS)


def _tell_dropouts(path: Path, values: Mapping[str, Any]) -> None:
    rates = [values[name] for name in DROPOUTS if name in values]
    if len(set(rates)) > 1:
        warn(
            f"{path}: {', '.join(DROPOUTS)} are {', '.join(map(str, rates))}; the first is used "
            f"for all of them in a training"
        )
