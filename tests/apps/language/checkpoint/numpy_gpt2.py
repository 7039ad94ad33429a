"""GPT-2 in NumPy, written from its paper and OpenAI's code."""

import math

import numpy as np


def gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def gelu_new(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def relu(x):
    return np.maximum(x, 0)


ACTIVATIONS = {"gelu_new": gelu_new, "gelu": gelu, "relu": relu}


class NumpyGpt2:
    """Forward pass in float64.

    Args:
        tensors: by the names of `GPT2LMHeadModel`.
        layers, heads: ints.
        activation: name of transformers.
        epsilon: of the layer normalisations.
    """

    def __init__(self, tensors, layers, heads, activation="gelu_new", epsilon=1e-5):
        self.tensors = {
            name.removeprefix("transformer."): tensor.astype(np.float64)
            for name, tensor in tensors.items()
        }
        self.layers, self.heads, self.epsilon = layers, heads, epsilon
        self.activation = ACTIVATIONS[activation]

    def dense(self, name, x):
        return x @ self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def norm(self, name, x):
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + self.epsilon)
        return centred / scale * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]

    def attention(self, name, x):
        length, width = x.shape
        q, k, v = np.split(self.dense(f"{name}.c_attn", x), 3, axis=-1)
        future, heads = np.triu(np.ones((length, length), bool), 1), []
        for columns in np.split(np.arange(width), self.heads):
            scores = q[:, columns] @ k[:, columns].T / math.sqrt(len(columns))
            scores[future] = -np.inf
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(weights / weights.sum(-1, keepdims=True) @ v[:, columns])
        return self.dense(f"{name}.c_proj", np.concatenate(heads, axis=-1))

    def hidden(self, tokens):
        """Hidden states (T, D) of tokens (T,), after the last normalisation."""
        x = self.tensors["wte.weight"][tokens] + self.tensors["wpe.weight"][: len(tokens)]
        for index in range(self.layers):
            x = x + self.attention(f"h.{index}.attn", self.norm(f"h.{index}.ln_1", x))
            inner = self.dense(f"h.{index}.mlp.c_fc", self.norm(f"h.{index}.ln_2", x))
            x = x + self.dense(f"h.{index}.mlp.c_proj", self.activation(inner))
        return self.norm("ln_f", x)

    def log_probabilities(self, tokens):
        """Of the token behind each of tokens (T,): (T, V)."""
        output = self.tensors.get("lm_head.weight", self.tensors["wte.weight"])
        logits = self.hidden(tokens) @ output.T
        logits -= logits.max(-1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))
