"""Table of the tensors of a checkpoint that make up each variable.

The table serves reading and writing. Its names are those of Hugging Face's `BertForPreTraining`
without the prefix "bert."; the names of other writers are converted to these first
(`canonical_name`, `distilbert_name`, `roberta_name`, `albert_name`,
`google_name`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.bert.encoder_config import EncoderConfig

WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
SEGMENT_EMBEDDINGS = "embeddings.token_type_embeddings.weight"
POSITION_EMBEDDINGS = "embeddings.position_embeddings.weight"
TIED_DECODER = "cls.predictions.decoder.weight"
# The output matrix of the masked-LM head is the word embeddings; writers keep either name or both.
TIED = {
    WORD_EMBEDDINGS: TIED_DECODER,
    "cls.predictions.bias": "cls.predictions.decoder.bias",
}
# Second names of tensors, and the position ids 0, 1, 2...: redundant.
COPIES = (*TIED.values(), "embeddings.position_ids")

# Parts that a checkpoint may lack, by the prefix of their tensors.
OPTIONAL = {
    "pooler": "pooler.",
    "masked-LM head": "cls.predictions.",
    "next-sentence head": "cls.seq_relationship.",
}


@dataclass(frozen=True)
class Weight:
    """A variable and the tensors of a checkpoint that it consists of.

    Attributes:
        variable: path of the variable in the encoder or head.
        tensors: names in a checkpoint; several are concatenated along the last axis.
        shape: shape of the variable.
        transposed: whether checkpoints have (out, in) where Keras has (in, out).
    """

    variable: str
    tensors: tuple[str, ...]
    shape: tuple[int, ...]
    transposed: bool = False

    @property
    def tensor_shape(self) -> tuple[int, ...]:
        """The shape of each of the tensors."""
        shape = (*self.shape[:-1], self.shape[-1] // len(self.tensors))
        return shape[::-1] if self.transposed else shape

    def join(self, tensors: Sequence[np.ndarray]) -> np.ndarray:
        """The variable's value."""
        parts = [tensor.T if self.transposed else tensor for tensor in tensors]
        return np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]

    def split(self, value: np.ndarray) -> dict[str, np.ndarray]:
        """The tensors of a value."""
        parts = np.split(value, len(self.tensors), axis=-1)
        parts = [np.ascontiguousarray(part.T if self.transposed else part) for part in parts]
        return dict(zip(self.tensors, parts, strict=True))


# === The table ===


def encoder_weights(config: EncoderConfig, vocabulary_size: int) -> list[Weight]:
    """The weights of an encoder.

    Args:
        config: configuration of the encoder.
        vocabulary_size: number of word pieces.
    """
    width = config.hidden_dim
    blocks = 1 if config.shared_layers else config.num_layers
    is_narrow = config.sum_width == "embedding"
    summed = config.embedding_dim if is_narrow else width
    projection = _dense("embedding_projection", summed, width, "embeddings_project")
    embeddings = {
        "token_embedding": ("word", vocabulary_size),
        "segment_embedding": ("token_type", config.num_segments),
        "positions/positions": ("position", config.max_positions),
    }
    return [
        *(
            Weight(
                f"{ours}/embeddings", (f"embeddings.{theirs}_embeddings.weight",), (rows, summed)
            )
            for ours, (theirs, rows) in embeddings.items()
        ),
        *_norm("embedding_norm", "embeddings.LayerNorm", summed),
        *(projection if is_narrow else ()),
        *(weight for index in range(blocks) for weight in _block(config, index)),
        *_dense("pooler", width, width, "pooler.dense"),
    ]


def _block(config: EncoderConfig, index: int) -> list[Weight]:
    ours, theirs = f"block_{index}", f"encoder.layer.{index}"
    attention = f"{theirs}.attention.self"
    width, inner = config.hidden_dim, config.intermediate_dim
    heads = config.block_heads[index] * (width // config.num_heads)
    parts = (f"{attention}.{part}" for part in ("query", "key", "value"))
    return [
        *_dense(f"{ours}/attention/query_key_value", width, 3 * heads, *parts),
        *_dense(f"{ours}/attention/output", heads, width, f"{theirs}.attention.output.dense"),
        *_norm(f"{ours}/attention_norm", f"{theirs}.attention.output.LayerNorm", width),
        *_dense(f"{ours}/feed_forward/expand", width, inner, f"{theirs}.intermediate.dense"),
        *_dense(f"{ours}/feed_forward/reduce", inner, width, f"{theirs}.output.dense"),
        *_norm(f"{ours}/feed_forward_norm", f"{theirs}.output.LayerNorm", width),
    ]


def masked_lm_weights(width: int, vocabulary_size: int, embedding_width: int) -> list[Weight]:
    """The weights of the masked-LM head, without its output matrix, the word embeddings.

    Args:
        width: of the encoder.
        vocabulary_size: number of tokens.
        embedding_width: of the word embeddings.
    """
    theirs = "cls.predictions.transform"
    return [
        *_dense("transform", width, embedding_width, f"{theirs}.dense"),
        *_norm("norm", f"{theirs}.LayerNorm", embedding_width),
        Weight("bias", ("cls.predictions.bias",), (vocabulary_size,)),
    ]


def next_sentence_weights(width: int) -> list[Weight]:
    """The weights of the next-sentence head; class 0: the second text follows the first."""
    return _dense("next_sentence", width, 2, "cls.seq_relationship")


def _dense(variable: str, inputs: int, outputs: int, *tensors: str) -> list[Weight]:
    kernels = tuple(f"{tensor}.weight" for tensor in tensors)
    biases = tuple(f"{tensor}.bias" for tensor in tensors)
    return [
        Weight(f"{variable}/kernel", kernels, (inputs, outputs), transposed=True),
        Weight(f"{variable}/bias", biases, (outputs,)),
    ]


def _norm(variable: str, tensor: str, width: int) -> list[Weight]:
    return [
        Weight(f"{variable}/gamma", (f"{tensor}.weight",), (width,)),
        Weight(f"{variable}/beta", (f"{tensor}.bias",), (width,)),
    ]


# === Names of other writers ===

OLD_ENDINGS = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}

# In the order of replacement.
DISTILBERT = {
    r"^transformer\.layer\.": "encoder.layer.",
    r"\.attention\.([qkv])_lin\.": r".attention.self.\1.",
    r"\.self\.q\.": ".self.query.",
    r"\.self\.k\.": ".self.key.",
    r"\.self\.v\.": ".self.value.",
    r"\.attention\.out_lin\.": ".attention.output.dense.",
    r"\.sa_layer_norm\.": ".attention.output.LayerNorm.",
    r"\.ffn\.lin1\.": ".intermediate.dense.",
    r"\.ffn\.lin2\.": ".output.dense.",
    r"\.output_layer_norm\.": ".output.LayerNorm.",
    r"^vocab_transform\.": "cls.predictions.transform.dense.",
    r"^vocab_layer_norm\.": "cls.predictions.transform.LayerNorm.",
    r"^vocab_projector\.weight$": TIED_DECODER,
    r"^vocab_projector\.bias$": "cls.predictions.bias",
}

ROBERTA = {
    r"^lm_head\.dense\.": "cls.predictions.transform.dense.",
    r"^lm_head\.layer_norm\.": "cls.predictions.transform.LayerNorm.",
    r"^lm_head\.decoder\.weight$": TIED_DECODER,
    r"^lm_head\.(decoder\.)?bias$": "cls.predictions.bias",
}

ALBERT = {
    r"^encoder\.embedding_hidden_mapping_in\.": "embeddings_project.",
    r"^encoder\.albert_layer_groups\.0\.albert_layers\.0\.": "encoder.layer.0.",
    r"\.attention\.(query|key|value)\.": r".attention.self.\1.",
    r"\.attention\.dense\.": ".attention.output.dense.",
    r"\.attention\.LayerNorm\.": ".attention.output.LayerNorm.",
    r"\.ffn\.": ".intermediate.dense.",
    r"\.ffn_output\.": ".output.dense.",
    r"\.full_layer_layer_norm\.": ".output.LayerNorm.",
    r"^pooler\.": "pooler.dense.",
    r"^predictions\.dense\.": "cls.predictions.transform.dense.",
    r"^predictions\.LayerNorm\.": "cls.predictions.transform.LayerNorm.",
    r"^predictions\.decoder\.weight$": TIED_DECODER,
    r"^predictions\.(decoder\.)?bias$": "cls.predictions.bias",
}

GOOGLE = {
    r"^bert/": "",
    r"/layer_(\d+)/": r"/layer/\1/",
    r"_embeddings$": "_embeddings/weight",
    r"/(gamma|kernel|output_weights)$": "/weight",
    r"/(beta|output_bias)$": "/bias",
    r"/": ".",
}


def canonical_name(name: str) -> str:
    """The table's name of a tensor of a Hugging Face BERT of any version."""
    name = name.removeprefix("bert.")
    for old, new in OLD_ENDINGS.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def distilbert_name(name: str) -> str:
    """The table's name of a tensor of a DistilBERT."""
    return _replace(name.removeprefix("distilbert."), DISTILBERT)


def roberta_name(name: str) -> str:
    """The table's name of a tensor of a RoBERTa."""
    return _replace(name.removeprefix("roberta."), ROBERTA)


def electra_name(name: str) -> str:
    """The table's name of a tensor of an ELECTRA; its discriminator's head keeps its own."""
    return canonical_name(name.removeprefix("electra."))


def albert_name(name: str) -> str:
    """The table's name of a tensor of an ALBERT."""
    return _replace(name.removeprefix("albert."), ALBERT)


def google_name(name: str) -> str:
    """The table's name of a tensor of Google's code; a "kernel" must be transposed."""
    return _replace(name, GOOGLE)


def _replace(name: str, rules: dict[str, str]) -> str:
    for pattern, replacement in rules.items():
        name = re.sub(pattern, replacement, name)
    return name
