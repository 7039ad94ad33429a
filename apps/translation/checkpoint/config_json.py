"""Configuration of a Marian model in config.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from apps.translation.config import MAX_BEAM, DecodingConfig, ModelConfig
from shared.common import config as configs
from shared.common.checkpoint_config import named_activation, short
from shared.common.errors import KerasuiteError

MODEL_TYPE = "marian"
ARCHITECTURE = "MarianMTModel"
# Our name of a setting to theirs, which the encoder and the decoder have of their own.
SETTINGS = {
    "num_layers": "encoder_layers",
    "decoder_layers": "decoder_layers",
    "hidden_dim": "d_model",
    "num_heads": "encoder_attention_heads",
    "intermediate_dim": "encoder_ffn_dim",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
}
REQUIRED = ("vocab_size", *list(SETTINGS.values())[:5])
# Settings of the decoder that must equal the encoder's.
EQUAL = {
    "decoder_attention_heads": "encoder_attention_heads",
    "decoder_ffn_dim": "encoder_ffn_dim",
}
# Names of activations, ours first where there are several.
ACTIVATIONS = {"swish": ("swish", "silu"), "relu": ("relu",), "gelu": ("gelu",)}
# Options that change what is computed, with the only value that the network has.
FIXED = {"scale_embedding": True, "normalize_before": False, "quantization_config": None}
# Of the normalisations; it stands in no file.
EPSILON = 1e-5
# Far beyond any model: what exceeds this would only fill the memory.
MAX_SIZE = 10_000_000
BEAM = 4


class MarianConfig(NamedTuple):
    """Settings of a checkpoint.

    Attributes:
        model: the network.
        decoding: the search.
        source_size, target_size: int. Rows of the two embeddings.
        is_shared: bool. Whether both are one.
        pad, end: int. Ids of tokens of the target.
    """

    model: ModelConfig
    decoding: DecodingConfig
    source_size: int
    target_size: int
    is_shared: bool
    pad: int
    end: int


def to_config(path: Path, values: Mapping[str, Any], generation: Mapping[str, Any]) -> MarianConfig:
    """The configuration of a checkpoint.

    Args:
        path: the file, for error messages.
        values: its content.
        generation: content of generation_config.json, which newer checkpoints have.

    Raises:
        KerasuiteError: if it is not of a Marian model, or says what the network does not have.
    """
    kind = values.get("model_type")
    if kind != MODEL_TYPE:
        raise KerasuiteError(
            f"{path}: model_type {short(kind)} is not supported; give a checkpoint of type marian"
        )
    for name, only in {**FIXED, **{ours: values.get(like) for ours, like in EQUAL.items()}}.items():
        if values.get(name, only) != only:
            raise KerasuiteError(
                f"{path}: {name} {short(values[name])} is not supported, only {short(only)}; "
                f"give another checkpoint"
            )
    for name in REQUIRED:
        _number(path, values, name)
    given = {ours: values[theirs] for ours, theirs in SETTINGS.items() if theirs in values}
    if given["decoder_layers"] == given["num_layers"]:
        given["decoder_layers"] = 0
    model = configs.from_dict(
        ModelConfig,
        {
            **given,
            "architecture": "transformer",
            "activation": _activation(path, values),
            "norm": "post",
            "positions": "sinusoidal",
            "epsilon": EPSILON,
            "output_bias": True,
            "tie_embeddings": values.get("tie_word_embeddings", True),
        },
        str(path),
    )
    if model.hidden_dim % model.num_heads or model.hidden_dim % 2:
        raise KerasuiteError(
            f"{path}: {model.hidden_dim} dimensions do not divide by {model.num_heads} heads and "
            f"by 2; fetch it again"
        )
    size = values["vocab_size"]
    target_size = values.get("decoder_vocab_size") or size
    pad, end = (_token(path, values, name, target_size) for name in ("pad", "eos"))
    start = values.get("decoder_start_token_id", pad)
    if start != pad:
        raise KerasuiteError(
            f"{path}: decoder_start_token_id {short(start)} is not supported, only that of the "
            f"padding, {pad}; give another checkpoint"
        )
    is_shared = values.get("share_encoder_decoder_embeddings", True)
    return MarianConfig(
        model, _decoding(values, generation), size, target_size, is_shared, pad, end
    )


def _decoding(values: Mapping[str, Any], generation: Mapping[str, Any]) -> DecodingConfig:
    """The search as transformers would do it, but with a beam where no size is given."""
    given = {**values, **generation}
    beam, penalty = given.get("num_beams"), given.get("length_penalty")
    if type(beam) is not int or not 1 <= beam <= MAX_BEAM:
        beam = BEAM
    if type(penalty) not in (int, float) or penalty < 0:
        penalty = 1.0
    return DecodingConfig(beam_size=beam, length_penalty=float(penalty), length_rule="power")


def to_json(config: MarianConfig) -> dict[str, Any]:
    """The content of config.json."""
    model = config.model
    settings = {theirs: getattr(model, ours) for ours, theirs in SETTINGS.items()}
    return {
        "architectures": [ARCHITECTURE],
        "model_type": MODEL_TYPE,
        "vocab_size": config.source_size,
        "decoder_vocab_size": config.target_size,
        "share_encoder_decoder_embeddings": config.is_shared,
        "tie_word_embeddings": model.tie_embeddings,
        **settings,
        "decoder_layers": model.decoder_layers or model.num_layers,
        **{ours: settings[like] for ours, like in EQUAL.items()},
        "activation_function": model.activation,
        "activation_dropout": 0.0,
        "static_position_embeddings": True,
        "scale_embedding": True,
        "normalize_before": False,
        "normalize_embedding": False,
        "max_position_embeddings": 512,
        "is_encoder_decoder": True,
        "bos_token_id": None,
        "pad_token_id": config.pad,
        "eos_token_id": config.end,
        "decoder_start_token_id": config.pad,
        "forced_eos_token_id": config.end,
    }


def to_generation_json(config: MarianConfig) -> dict[str, Any]:
    """The content of generation_config.json."""
    return {
        "num_beams": config.decoding.beam_size,
        "length_penalty": config.decoding.length_penalty,
        "max_length": 512,
        "bad_words_ids": [[config.pad]],
        "pad_token_id": config.pad,
        "eos_token_id": config.end,
        "decoder_start_token_id": config.pad,
        "forced_eos_token_id": config.end,
    }


def _number(path: Path, values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    if type(value) is not int or not 1 <= value <= MAX_SIZE:
        raise KerasuiteError(
            f"{path}: {name} is {short(value)}, not a number from 1 to {MAX_SIZE:,}; fetch it again"
        )
    return value


def _token(path: Path, values: Mapping[str, Any], name: str, size: int) -> int:
    number = values.get(f"{name}_token_id")
    if type(number) is not int or not 0 <= number < size:
        raise KerasuiteError(
            f"{path}: {name}_token_id is {short(number)}, not one of the {size:,} tokens; "
            f"fetch it again"
        )
    return number


def _activation(path: Path, values: Mapping[str, Any]) -> str:
    theirs = values.get("activation_function", "gelu")
    return named_activation(path, "activation_function", theirs, ACTIVATIONS)
