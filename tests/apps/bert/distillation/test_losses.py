"""Distillation losses against loops over the definitions of the papers."""

import numpy as np
import pytest

from apps.bert.distillation.losses import attention_loss, cosine_loss, hidden_loss, patient_loss
from shared.losses.softened_cross_entropy import softened_cross_entropy

REAL = np.array([[True, True, True, False], [True, False, False, False]])
ITEMS = np.array([3, 1])


@pytest.fixture
def generator():
    return np.random.default_rng(4)


def test_hidden_loss(generator):
    ours, theirs = generator.normal(size=(2, 2, 4, 3)).astype("float32")
    rows = [
        np.mean([((ours[b, t] - theirs[b, t]) ** 2).mean() for t in range(4) if REAL[b, t]])
        for b in range(2)
    ]
    np.testing.assert_allclose(
        hidden_loss(ours, theirs, REAL, ITEMS), np.average(rows, weights=ITEMS), rtol=1e-5
    )


def test_attention_loss(generator):
    ours, theirs = generator.normal(size=(2, 2, 5, 4, 4)).astype("float32")
    rows = []
    for b in range(2):
        real = np.flatnonzero(REAL[b])
        pairs = [
            ((ours[b, h, i, j] - theirs[b, h, i, j]) ** 2)
            for h in range(5) for i in real for j in real
        ]  # fmt: skip
        rows.append(np.mean(pairs))
    np.testing.assert_allclose(
        attention_loss(ours, theirs, REAL, ITEMS), np.average(rows, weights=ITEMS), rtol=1e-5
    )


def test_padding_counts_for_nothing(generator):
    ours, theirs = generator.normal(size=(2, 2, 4, 3)).astype("float32")
    other = np.where(REAL[..., None], ours, 9.0)
    for loss in (hidden_loss, cosine_loss):
        assert float(loss(ours, theirs, REAL, ITEMS)) == pytest.approx(
            float(loss(other, theirs, REAL, ITEMS))
        )


def test_patient_and_cosine_loss(generator):
    ours, theirs = generator.normal(size=(2, 2, 4, 3)).astype("float32")

    def unit(vector):
        return vector / np.linalg.norm(vector)

    first = [((unit(ours[b, 0]) - unit(theirs[b, 0])) ** 2).sum() for b in range(2)]
    np.testing.assert_allclose(
        patient_loss(ours, theirs, ITEMS), np.average(first, weights=ITEMS), rtol=1e-5
    )
    rows = [
        np.mean([1 - unit(ours[b, t]) @ unit(theirs[b, t]) for t in range(4) if REAL[b, t]])
        for b in range(2)
    ]
    np.testing.assert_allclose(
        cosine_loss(ours, theirs, REAL, ITEMS), np.average(rows, weights=ITEMS), rtol=1e-5
    )


def test_softened_cross_entropy(generator):
    teacher, logits = generator.normal(size=(2, 6, 5)).astype("float32")

    def softmax(row):
        powers = np.exp(row)
        return powers / powers.sum()

    expected = [
        -(softmax(t / 3) * np.log(softmax(s / 3))).sum() * 9
        for t, s in zip(teacher, logits, strict=True)
    ]
    found = softened_cross_entropy(teacher, logits, 3.0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
