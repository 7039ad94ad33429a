"""BERT and DistilBERT in plain numpy, on the tensors of a safetensors file: the tests' truth.

Written from [Devlin et al., 2019](https://arxiv.org/abs/1810.04805), [Vaswani et al.,
2017](https://arxiv.org/abs/1706.03762) and the documentation of transformers, with queries, keys
and values apart and in float64; it shares nothing with the suite.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import erf


@dataclass
class Names:
    """How a model calls its layers."""

    embeddings: str
    layer: str
    query: str
    key: str
    value: str
    output: str
    attention_norm: str
    expand: str
    reduce: str
    norm: str


BERT = Names(
    "embeddings", "encoder.layer", "attention.self.query", "attention.self.key",
    "attention.self.value", "attention.output.dense", "attention.output.LayerNorm",
    "intermediate.dense", "output.dense", "output.LayerNorm",
)  # fmt: skip
DISTILBERT = Names(
    "embeddings", "transformer.layer", "attention.q_lin", "attention.k_lin", "attention.v_lin",
    "attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm",
)  # fmt: skip


@dataclass
class NumpyBert:
    """A forward pass; `tensors` are those of the file, `prefix` stands before their names."""

    tensors: dict
    num_layers: int
    num_heads: int
    names: Names = None
    prefix: str = ""
    epsilon: float = 1e-12

    def __post_init__(self):
        self.names = self.names or BERT

    def hidden_states(self, token_ids, segment_ids):
        """L + 1 arrays (B, T, D), and L arrays of attention scores and weights (B, A, T, T)."""
        hidden = [self.embed(token_ids, segment_ids)]
        scores, weights = [], []
        for index in range(self.num_layers):
            layer = f"{self.prefix}{self.names.layer}.{index}"
            mixed, score, weight = self.attend(layer, hidden[-1], token_ids != 0)
            x = self.norm(f"{layer}.{self.names.attention_norm}", hidden[-1] + mixed)
            inner = gelu(self.dense(f"{layer}.{self.names.expand}", x))
            outer = self.dense(f"{layer}.{self.names.reduce}", inner)
            hidden.append(self.norm(f"{layer}.{self.names.norm}", x + outer))
            scores.append(score)
            weights.append(weight)
        return hidden, scores, weights

    def embed(self, token_ids, segment_ids):
        embeddings = self.prefix + self.names.embeddings
        x = self[f"{embeddings}.word_embeddings.weight"][token_ids]
        x = x + self[f"{embeddings}.position_embeddings.weight"][: token_ids.shape[1]]
        if f"{embeddings}.token_type_embeddings.weight" in self.tensors:
            x = x + self[f"{embeddings}.token_type_embeddings.weight"][segment_ids]
        return self.norm(f"{embeddings}.LayerNorm", x)

    def attend(self, layer, x, real):
        query, key, value = (
            self.heads(self.dense(f"{layer}.{name}", x))
            for name in (self.names.query, self.names.key, self.names.value)
        )
        scores = np.einsum("bhtd,bhsd->bhts", query, key) / np.sqrt(query.shape[-1])
        weights = softmax(scores + np.where(real, 0.0, -np.inf)[:, None, None])
        mixed = np.einsum("bhts,bhsd->bthd", weights, value).reshape(x.shape)
        return self.dense(f"{layer}.{self.names.output}", mixed), scores, weights

    def heads(self, x):
        return x.reshape(*x.shape[:2], self.num_heads, -1).transpose(0, 2, 1, 3)

    def pooled(self, hidden):
        return np.tanh(self.dense(f"{self.prefix}pooler.dense", hidden[:, 0]))

    def masked_lm(self, hidden):
        """Logits (B, T, V) of the masked-LM head of BertForPreTraining."""
        x = gelu(self.dense("cls.predictions.transform.dense", hidden))
        x = self.norm("cls.predictions.transform.LayerNorm", x)
        words = self[f"{self.prefix}embeddings.word_embeddings.weight"]
        return x @ words.T + self["cls.predictions.bias"]

    def dense(self, name, x):
        return x @ self[f"{name}.weight"].T + self[f"{name}.bias"]

    def norm(self, name, x):
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + self.epsilon)
        return centred / scale * self[f"{name}.weight"] + self[f"{name}.bias"]

    def __getitem__(self, name):
        return np.asarray(self.tensors[name], np.float64)


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)
