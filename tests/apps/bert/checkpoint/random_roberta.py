"""Small random RoBERTa and ELECTRA checkpoints, and a byte-level vocabulary."""

import json

import numpy as np
from safetensors.numpy import save_file

from shared.text.byte_level_bpe import byte_characters
from tests.apps.bert.checkpoint.random_checkpoints import BERT_CONFIG, WIDTH, RandomTensors

MERGES = [
    ("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("Ġ", "a"), ("o", "u"), ("e", "r"),
    ("Ġ", "P"), ("a", "r"), ("i", "s"), ("ĠP", "ar"), ("ĠPar", "is"), ("Ġ", "Ġ"),
]  # fmt: skip
# In RoBERTa's order.
NAMES = [
    "<s>", "<pad>", "</s>", "<unk>", *sorted(byte_characters()),
    *(left + right for left, right in MERGES), "<mask>",
]  # fmt: skip
WORDS, POSITIONS = len(NAMES), 40
ROBERTA_CONFIG = BERT_CONFIG | {
    "model_type": "roberta",
    "architectures": ["RobertaForMaskedLM"],
    "vocab_size": WORDS,
    "max_position_embeddings": POSITIONS + 2,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
NARROW = 12
ELECTRA_CONFIG = BERT_CONFIG | {
    "model_type": "electra",
    "architectures": ["ElectraForPreTraining"],
    "embedding_size": NARROW,
}


def write_tokens(folder, **settings):
    """The files of a byte-level vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {name: number for number, name in enumerate(NAMES)}
    (folder / "vocab.json").write_text(json.dumps(numbers), "utf-8")
    lines = "".join(f"{left} {right}\n" for left, right in MERGES)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{lines}", "utf-8")
    values = {"tokenizer_class": "RobertaTokenizer", **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(values))
    return folder


def write_roberta(folder, tensors, **changes):
    """Writes a folder as transformers does."""
    write_tokens(folder)
    (folder / "config.json").write_text(json.dumps(ROBERTA_CONFIG | changes))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def roberta_tensors(bert):
    """Those of a RoBERTa that computes what a BERT with `WORDS` tokens does.

    Args:
        bert: tensors by the names of `BertForMaskedLM`.
    """
    renamed = {
        "cls.predictions.transform.dense": "lm_head.dense",
        "cls.predictions.transform.LayerNorm": "lm_head.layer_norm",
        "cls.predictions.bias": "lm_head.bias",
        "bert.": "roberta.",
    }
    found = {}
    for name, tensor in bert.items():
        for ours, theirs in renamed.items():
            if name.startswith(ours):
                found[theirs + name.removeprefix(ours)] = tensor
    for name in ("roberta.embeddings.word_embeddings.weight", "lm_head.bias"):
        found[name] = found[name][[1, 0, *range(2, WORDS)]]
    positions = found["roberta.embeddings.position_embeddings.weight"]
    unused = np.full((2, WIDTH), 99, np.float32)
    found["roberta.embeddings.position_embeddings.weight"] = np.concatenate([unused, positions])
    return found


def masked_lm_tensors():
    """A random BERT with as many tokens, positions and segments as the RoBERTa has."""
    from tests.apps.bert.checkpoint.random_checkpoints import bert_tensors

    tensors, t = bert_tensors(), RandomTensors(1)
    for kind, rows in (("word", WORDS), ("position", POSITIONS), ("token_type", 1)):
        t.embedding(f"bert.embeddings.{kind}_embeddings", rows)
    t.matrix("cls.predictions.bias", WORDS)
    tensors |= t
    return {name: tensor for name, tensor in tensors.items() if "seq_relationship" not in name}
