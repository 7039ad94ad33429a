"""The layer that a student is trained through, against the equations of the papers in NumPy."""

import numpy as np
import pytest

from apps.bert.distillation.config import LayerTransferConfig
from apps.bert.distillation.layer_transfer import LayerTransfer
from apps.bert.distillation.losses import hidden_loss

REAL = np.array([[True, True, True, False], [True, True, False, False]])
ITEMS = np.array([3, 1])
# A student of two layers learns from the second and the third of three.
MAPPING = [2, 3]
NONE = {"embedding_weight": 0.0, "hidden_weight": 0.0, "attention_weight": 0.0}
DIRECT = NONE | {"patient_weight": 10.0, "cosine_weight": 0.5}


def outputs_of(seed, width, layers):
    """Hidden states of the embeddings and of each layer, and attention scores of two heads."""
    generator = np.random.default_rng(seed)
    return {
        "hidden_states": tuple(generator.normal(size=(layers + 1, 2, 4, width)).astype("float32")),
        "attentions": tuple(generator.normal(size=(layers, 2, 2, 4, 4)).astype("float32")),
    }


def terms_of(config, student_dim):
    """The layer, what it computes, and what both models gave; the teacher is 6 wide."""
    layer = LayerTransfer(LayerTransferConfig(**config), 6, MAPPING)
    layer.build((None, None, student_dim))
    for weight in layer.weights:
        weight.assign(np.random.default_rng(3).normal(size=weight.shape))
    student, teacher = outputs_of(1, student_dim, 2), outputs_of(2, 6, 3)
    found = {output.name: output.select(teacher) for output in layer.needed}
    terms = {name: float(term) for name, term in layer(student, found, REAL, ITEMS).items()}
    return layer, terms, student, teacher


def unit(hidden):
    return hidden / np.linalg.norm(hidden, axis=-1, keepdims=True)


def patient_and_cosine(ours, theirs):
    """Equation 7 of BERT-PKD for the layers before the last, and DistilBERT's cosine."""
    first = ((unit(ours[1][:, 0]) - unit(theirs[2][:, 0])) ** 2).sum(-1)
    distance = 1 - (unit(ours[-1]) * unit(theirs[-1])).sum(-1)
    by_row = [distance[row, real].mean() for row, real in enumerate(REAL)]
    return 10.0 * np.average(first, weights=ITEMS), 0.5 * np.average(by_row, weights=ITEMS)


def test_equal_widths_are_compared_directly():
    layer, terms, student, teacher = terms_of(DIRECT, 6)
    expected = patient_and_cosine(student["hidden_states"], teacher["hidden_states"])
    assert terms == pytest.approx(dict(zip(("patient", "cosine"), expected, strict=True)))
    assert layer.projected == [] and layer.weights == []


@pytest.mark.parametrize(("width", "projection"), [(4, "auto"), (6, "on")])
def test_a_projection_stands_between_other_widths_or_where_asked_for(width, projection):
    layer, terms, student, teacher = terms_of(DIRECT | {"projection": projection}, width)
    kernel, bias = (np.array(weight) for weight in layer.weights)
    ours = [hidden @ kernel + bias for hidden in student["hidden_states"]]
    expected = patient_and_cosine(ours, teacher["hidden_states"])
    assert terms == pytest.approx(dict(zip(("patient", "cosine"), expected, strict=True)))
    assert layer.projected == ["patient", "cosine"]


@pytest.mark.parametrize("width", [4, 6])
def test_tinybert_projects_whatever_the_widths(width):
    """Equations 7 to 9; `test_losses` proves the means over positions and rows."""
    layer, terms, student, teacher = terms_of({}, width)
    embedding, hidden = layer.embedding_projection, layer.hidden_projection
    ours, theirs = student["hidden_states"], teacher["hidden_states"]

    def error(projection, m, n):
        kernel, bias = (np.array(weight) for weight in projection.weights)
        return float(hidden_loss(ours[m] @ kernel + bias, theirs[n], REAL, ITEMS))

    both = REAL[:, None, :, None] & REAL[:, None, None, :]
    attention = 0.0
    for m, n in ((0, 1), (1, 2)):
        squares = (student["attentions"][m] - teacher["attentions"][n]) ** 2 * both
        attention += np.average(squares.sum((1, 2, 3)) / both.sum((1, 2, 3)) / 2, weights=ITEMS)
    assert terms == pytest.approx({
        "embedding": error(embedding, 0, 0),
        "hidden": error(hidden, 1, 2) + error(hidden, 2, 3),
        "attention": attention,
    })  # fmt: skip
    assert layer.projected == ["embedding", "hidden"]
