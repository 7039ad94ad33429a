"""Small random checkpoints under the names that their writers give the tensors."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

LAYERS, WIDTH, HEADS, INNER, WORDS, POSITIONS = 3, 32, 4, 48, 60, 20
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{n}" for n in range(WORDS - 5))]

BERT_CONFIG = {
    "model_type": "bert",
    "architectures": ["BertForPreTraining"],
    "vocab_size": WORDS,
    "num_hidden_layers": LAYERS,
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
    "max_position_embeddings": POSITIONS,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "position_embedding_type": "absolute",
}
DISTILBERT_CONFIG = {
    "model_type": "distilbert",
    "activation": "gelu",
    "attention_dropout": 0.2,
    "dim": WIDTH,
    "dropout": 0.1,
    "hidden_dim": INNER,
    "max_position_embeddings": POSITIONS,
    "n_heads": HEADS,
    "n_layers": LAYERS,
    "sinusoidal_pos_embds": False,
    "vocab_size": WORDS,
}
TOKENIZER_CONFIG = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}


class RandomTensors(dict):
    """Tensors with values large enough for every one of them to matter."""

    def __init__(self, seed: int = 0):
        super().__init__()
        self.generator = np.random.default_rng(seed)

    def matrix(self, name: str, *shape: int) -> None:
        values = self.generator.normal(size=shape) * shape[-1] ** -0.5
        self[name] = values.astype(np.float32)

    def embedding(self, name: str, rows: int) -> None:
        self[f"{name}.weight"] = self.generator.normal(size=(rows, WIDTH)).astype(np.float32)

    def dense(self, name: str, inputs: int, outputs: int) -> None:
        self.matrix(f"{name}.weight", outputs, inputs)
        self.matrix(f"{name}.bias", outputs)

    def norm(self, name: str, ends: tuple[str, str] = ("weight", "bias")) -> None:
        self[f"{name}.{ends[0]}"] = self.generator.uniform(0.5, 1.5, WIDTH).astype(np.float32)
        self.matrix(f"{name}.{ends[1]}", WIDTH)


def bert_tensors(heads: bool = True, prefix: str = "bert.", norm=("weight", "bias")) -> dict:
    """A `BertForPreTraining` (or, without heads, a `BertModel`) of transformers."""
    t = RandomTensors()
    for kind, rows in (("word", WORDS), ("position", POSITIONS), ("token_type", 2)):
        t.embedding(f"{prefix}embeddings.{kind}_embeddings", rows)
    t.norm(f"{prefix}embeddings.LayerNorm", norm)
    for index in range(LAYERS):
        layer = f"{prefix}encoder.layer.{index}"
        for part in ("query", "key", "value"):
            t.dense(f"{layer}.attention.self.{part}", WIDTH, WIDTH)
        t.dense(f"{layer}.attention.output.dense", WIDTH, WIDTH)
        t.norm(f"{layer}.attention.output.LayerNorm", norm)
        t.dense(f"{layer}.intermediate.dense", WIDTH, INNER)
        t.dense(f"{layer}.output.dense", INNER, WIDTH)
        t.norm(f"{layer}.output.LayerNorm", norm)
    t.dense(f"{prefix}pooler.dense", WIDTH, WIDTH)
    if heads:
        t.dense("cls.predictions.transform.dense", WIDTH, WIDTH)
        t.norm("cls.predictions.transform.LayerNorm", norm)
        t.matrix("cls.predictions.bias", WORDS)
        t.dense("cls.seq_relationship", WIDTH, 2)
    return dict(t)


def distilbert_tensors() -> dict:
    """A `DistilBertForMaskedLM` of transformers."""
    t = RandomTensors()
    t.embedding("distilbert.embeddings.word_embeddings", WORDS)
    t.embedding("distilbert.embeddings.position_embeddings", POSITIONS)
    t.norm("distilbert.embeddings.LayerNorm")
    for index in range(LAYERS):
        layer = f"distilbert.transformer.layer.{index}"
        for part in ("q", "k", "v", "out"):
            t.dense(f"{layer}.attention.{part}_lin", WIDTH, WIDTH)
        t.norm(f"{layer}.sa_layer_norm")
        t.dense(f"{layer}.ffn.lin1", WIDTH, INNER)
        t.dense(f"{layer}.ffn.lin2", INNER, WIDTH)
        t.norm(f"{layer}.output_layer_norm")
    t.dense("vocab_transform", WIDTH, WIDTH)
    t.norm("vocab_layer_norm")
    t.matrix("vocab_projector.bias", WORDS)
    return dict(t)


def write_hugging_face(
    folder: Path, tensors: dict, config: dict = BERT_CONFIG, vocabulary=VOCABULARY
) -> Path:
    """Writes a folder as transformers does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(TOKENIZER_CONFIG))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in vocabulary), "utf-8")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def random_batch() -> dict[str, np.ndarray]:
    """Tokens with padding in three of four rows, and two segments."""
    generator = np.random.default_rng(1)
    token_ids = generator.integers(5, WORDS, (4, 12))
    segment_ids = (np.arange(12) >= 5)[None].repeat(4, axis=0)
    padding = np.arange(12) >= np.array([12, 9, 3, 1])[:, None]
    token_ids[padding], segment_ids[padding] = 0, False
    return {"token_ids": token_ids.astype(np.int32), "segment_ids": segment_ids.astype(np.int32)}
