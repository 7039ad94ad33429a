"""Losses of the heads against loops, and what counts as an item."""

import keras
import numpy as np
import pytest

from apps.bert.encoder_config import TEST_ENCODER, EncoderConfig
from apps.bert.finetuning.config import HeadConfig
from apps.bert.finetuning.fine_tuner import FineTuner
from apps.bert.finetuning.heads import HEADS, IGNORED, SpanHead

WIDTH = 6


@pytest.fixture
def generator():
    return np.random.default_rng(5)


def head(task_type, outputs, **options):
    made = HEADS[task_type](outputs, dropout=0.0, **options)
    made.build((None, WIDTH))
    return made


def nll(logits, label):
    return np.log(np.exp(logits).sum()) - logits[label]


def test_classes_may_be_weighed(generator):
    logits, labels = generator.normal(size=(4, 3)).astype("float32"), np.array([0, 2, 1, 2])
    weights = (0.5, 1.0, 2.0)
    expected = np.mean([weights[b] * nll(a, b) for a, b in zip(logits, labels, strict=True)])
    found = head("classification", 3, class_weights=weights).loss(labels, logits)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_tags_of_padding_count_for_nothing(generator):
    logits = generator.normal(size=(2, 3, 4)).astype("float32")
    labels = np.array([[1, IGNORED, 3], [IGNORED, 2, IGNORED]], np.int32)
    tagger = head("tagging", 4)
    tagged = [(0, 0), (0, 2), (1, 1)]
    expected = np.mean([nll(logits[index], labels[index]) for index in tagged])
    np.testing.assert_allclose(tagger.loss(labels, logits), expected, rtol=1e-5)
    assert tagger.item_counts(labels).numpy().tolist() == [2, 1]
    # A teacher that is the student itself costs the entropy, which no other student undercuts.
    own = float(tagger.distillation_loss(labels, logits, logits, 2.0))
    assert own < float(
        tagger.distillation_loss(labels, logits + generator.normal(size=4), logits, 2.0)
    )


def test_numbers_and_choices(generator):
    outputs = generator.normal(size=(3, 1)).astype("float32")
    labels = np.array([1.0, 2.0, 3.0], np.float32)
    found = head("regression", 1).loss(labels, outputs)
    np.testing.assert_allclose(found, np.mean((outputs[:, 0] - labels) ** 2), rtol=1e-5)
    x = {name: np.ones((2, 3, 4), np.int32) for name in ("token_ids", "segment_ids")}
    encoded = {"pooled": generator.normal(size=(6, WIDTH)).astype("float32")}
    chooser = head("choice", 1)
    logits = keras.ops.convert_to_numpy(chooser(encoded, x))
    kernel = keras.ops.convert_to_numpy(chooser.dense.kernel)
    np.testing.assert_allclose(logits, (encoded["pooled"] @ kernel).reshape(2, 3), rtol=1e-4)


def test_answers_lie_in_the_context_or_at_the_first_position(generator):
    spans = head("question-answering", 2)
    assert isinstance(spans, SpanHead)
    x = {
        "token_ids": np.array([[2, 7, 3, 8, 9, 3, 0]]),
        "segment_ids": np.array([[0, 0, 0, 1, 1, 1, 0]]),
    }
    encoded = {"sequence": generator.normal(size=(1, 7, WIDTH)).astype("float32")}
    logits = keras.ops.convert_to_numpy(spans(encoded, x))
    allowed = logits[0, :, 0] > -1e8
    assert allowed.tolist() == [True, False, False, True, True, True, False]


def test_a_sentence_is_pooled_as_asked(generator):
    sequence = generator.normal(size=(2, 3, WIDTH)).astype("float32")
    x = {"token_ids": np.array([[2, 5, 3], [2, 3, 0]])}
    encoded = {"sequence": sequence, "pooled": np.tanh(sequence[:, 0])}
    means = np.stack([sequence[0].mean(0), sequence[1, :2].mean(0)])
    expected = {"pooler": encoded["pooled"], "cls": sequence[:, 0], "mean": means}
    for pooling, features in expected.items():
        made = head("classification", 2, pooling=pooling)
        kernel = keras.ops.convert_to_numpy(made.dense.kernel)
        np.testing.assert_allclose(made(encoded, x), features @ kernel, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("pooling", ["pooler", "cls", "mean"])
@pytest.mark.parametrize("task_type", list(HEADS))
def test_the_encoder_gives_as_much_as_the_head_reads(task_type, pooling, generator):
    """The model leaves out what its head does not read; the logits are those of everything."""
    outputs = 1 if task_type in ("regression", "choice") else 2
    model = FineTuner(
        EncoderConfig(**TEST_ENCODER), HeadConfig(pooling=pooling), 30, task_type, outputs
    )
    model.build()
    for weight in model.trainable_weights:
        weight.assign(generator.normal(size=weight.shape) * 0.3)
    shape = (2, 3, 7) if task_type == "choice" else (4, 7)
    token_ids = generator.integers(1, 30, shape)
    token_ids[1, ..., 4:] = 0
    segment_ids = np.where(np.arange(7) > 2, token_ids > 0, 0)
    x = {"token_ids": token_ids.astype(np.int32), "segment_ids": segment_ids.astype(np.int32)}
    everything = model.head(model.encode(x), x)
    np.testing.assert_allclose(model(x), everything, atol=1e-4, rtol=1e-4)
    read = model.encode_for_head(x)["sequence"]
    sentence = task_type not in ("tagging", "question-answering")
    assert read.shape[1] == (1 if sentence and pooling != "mean" else 7)
