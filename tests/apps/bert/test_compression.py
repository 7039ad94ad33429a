"""Compression: what is cut out is what counts least, and what stays computes the same."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from apps.bert.compression.factorisation import copy_factorised, factorised_config
from apps.bert.compression.head_pruning import (
    copy_heads,
    head_importance,
    heads_to_keep,
    pruned_config,
)
from apps.bert.compression.quantisation import quantise_weights
from apps.bert.compression.tools import compress
from apps.bert.compression.weight_pruning import prune_weights
from apps.bert.encoder_config import EncoderConfig
from apps.bert.finetuning.app import FinetuneApp
from apps.bert.finetuning.config import HeadConfig
from apps.bert.finetuning.fine_tuner import FineTuner
from apps.bert.runs import APPS
from shared.engine.run import load_best, open_run
from shared.engine.training.evaluate import evaluate
from tests.apps.app_cases import write_sentences
from tests.apps.bert.distillation.runs import write_untrained_run

CONFIG = EncoderConfig(
    num_layers=2, hidden_dim=24, num_heads=4, intermediate_dim=32, max_positions=16,
    dropout=0.0, attention_dropout=0.0,
)  # fmt: skip
X = {
    "token_ids": np.array([[2, 7, 8, 9, 3], [2, 5, 3, 0, 0]], np.int32),
    "segment_ids": np.zeros((2, 5), np.int32),
}
Y = {"labels": np.array([0, 1], np.int32)}


def model(config=CONFIG):
    made = FineTuner(config, HeadConfig(), 30, "classification", 2)
    made.build()
    return made


@pytest.fixture
def trained():
    keras.utils.set_random_seed(3)
    made = model()
    generator = np.random.default_rng(0)
    for weight in made.trainable_weights:
        weight.assign(weight + 0.3 * generator.normal(size=weight.shape))
    return made


def test_the_smallest_weights_become_zero(trained):
    before = np.concatenate([np.array(w).ravel() for w in matrices(trained)])
    assert prune_weights(trained, 0.5) == pytest.approx(0.5, abs=0.01)
    after = np.concatenate([np.array(w).ravel() for w in matrices(trained)])
    kept = after != 0
    np.testing.assert_array_equal(after[kept], before[kept])
    assert np.abs(before[~kept]).max() <= np.abs(before[kept]).min()
    assert prune_weights(model(), 0.0) < 0.01


def matrices(made):
    return [w for w in made.encoder.trainable_weights if len(w.shape) == 2]


def test_importance_is_the_derivative_of_a_gate(trained):
    """Against finite differences of a scaled head."""
    importance = head_importance(trained, [(X, Y)])
    kernel = trained.encoder.blocks[1].attention.output_dense.kernel
    original, slopes = np.array(kernel), []
    for head in range(4):
        rows, losses = slice(head * 6, head * 6 + 6), []
        for step in (-1e-2, 1e-2):
            scaled = original.copy()
            scaled[rows] *= 1 + step
            kernel.assign(scaled)
            losses.append(float(trained.compute_loss(X, Y, trained(X), training=False)))
        slopes.append(abs(losses[1] - losses[0]) / 2e-2)
    expected = np.array(slopes) / np.linalg.norm(slopes)
    np.testing.assert_allclose(importance[1], expected, atol=0.02)


def test_the_least_important_go_and_each_block_keeps_one():
    importance = [np.array([0.9, 0.1, 0.2]), np.array([0.3, 0.05, 0.8])]
    kept = [heads.tolist() for heads in heads_to_keep(importance, 3)]
    assert kept == [[0], [0, 2]]
    assert [len(heads) for heads in heads_to_keep(importance, 9)] == [1, 1]


def test_a_head_that_gives_nothing_may_go(trained):
    for block, head in ((0, 2), (1, 0)):
        kernel = trained.encoder.blocks[block].attention.output_dense.kernel
        value = np.array(kernel)
        value[head * 6 : head * 6 + 6] = 0
        kernel.assign(value)
    kept = [np.array([0, 1, 3]), np.array([1, 2, 3])]
    smaller = model(pruned_config(CONFIG, kept))
    copy_heads(trained, smaller, kept)
    assert smaller.count_params() < trained.count_params()
    np.testing.assert_allclose(smaller(X), trained(X), atol=1e-5)


def test_factorised_embeddings_are_the_best_of_their_width(trained):
    table = np.array(trained.encoder.token_embedding.embeddings)
    for width in (4, 23):
        smaller = model(factorised_config(CONFIG, width))
        lost = copy_factorised(trained, smaller)
        encoder = smaller.encoder
        product = np.array(encoder.token_embedding.embeddings) @ np.array(
            encoder.embedding_projection.kernel
        )
        sizes = np.linalg.svd(table, compute_uv=False)
        expected = (sizes[width:] ** 2).sum()
        assert ((product - table) ** 2).sum() == pytest.approx(expected, rel=1e-3)
        assert lost == pytest.approx(expected / (sizes**2).sum(), rel=1e-4)


def test_int8_weights_change_little(trained):
    before = np.array(trained(X))
    assert quantise_weights(trained) == 2 * 4 + 4
    dtypes = {str(weight.dtype) for weight in trained.encoder.weights if len(weight.shape) == 2}
    assert "int8" in dtypes and trained.encoder.pooler.kernel.dtype == "int8"
    after = np.array(trained(X))
    # The same where the last block computes every position.
    everything = trained.head(trained.encode(X), X)
    np.testing.assert_allclose(after, everything, atol=1e-4)
    assert 0 < np.abs(after - before).max() < 0.1 * np.abs(before).max() + 0.05


def test_shapes_are_part_of_the_configuration():
    config = pruned_config(CONFIG, [np.array([0]), np.array([1, 2])])
    assert config.heads_per_layer == (1, 2)
    assert dataclasses.replace(config, heads_per_layer=()) == CONFIG


def test_a_compressed_run_tells_of_itself(tmp_path):
    """Metrics, card and pictures are those of the smaller model, not of the one that it was."""
    data = tuple(map(str, write_sentences(tmp_path)))
    large = write_untrained_run(FinetuneApp(), tmp_path / "large", data=data)
    (large / "plots").mkdir()
    for name in ("metrics.json", "README.md", "history.csv", "plots/curves.png"):
        (large / name).write_text('{"score": 0.123456}')
    compress(
        APPS["bert-finetune"], large, tmp_path / "small",
        sparsity=0.9, prune_heads=1, int8=True, saved_models=tmp_path / "saved",
    )  # fmt: skip
    small, app = tmp_path / "small", FinetuneApp()
    run = open_run(app, small)
    expected, _ = evaluate(app, run, load_best(app, run))
    metrics = json.loads((small / "metrics.json").read_text())
    assert metrics["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert not (small / "history.csv").exists() and not (small / "plots" / "curves.png").exists()
    assert run.artifacts["encoder"]["heads_per_layer"] != []
    cards = small / "README.md", *(tmp_path / "saved").glob("*/small-int8/1/assets.extra/README.md")
    assert len(cards) == 2
    for card in cards:
        text = card.read_text()
        assert "0.1235" not in text and "| loss |" in text and "curves" not in text
    assert f"evaluate {small}" in cards[0].read_text()
