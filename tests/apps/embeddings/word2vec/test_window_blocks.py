"""The stream of blocks: what is in them, how it is drawn, and that it follows the step alone."""

import numpy as np
import pytest
import tensorflow as tf

from apps.embeddings.word2vec.noise_sampler import NoiseSampler, alias_table
from apps.embeddings.word2vec.window_blocks import (
    BlockShape,
    steps_per_epoch,
    window_blocks,
)

SHAPE = BlockShape(window=3, positions=4, noise=5, lanes=6)
UNIFORM = np.full(100, 0.01)


def corpus(documents=60, seed=0):
    """Documents of 1 to 79 words, all below 100."""
    generator = np.random.default_rng(seed)
    lines = [
        np.append(generator.integers(0, 100, generator.integers(1, 80)), -1)
        for _ in range(documents)
    ]
    return np.concatenate(lines).astype(np.int32)


def stream(tokens, keep=1.0, shape=SHAPE, batch_size=500, seed=7, **options):
    keep = np.full(100, keep) if np.isscalar(keep) else keep
    return window_blocks(tokens, keep, UNIFORM, shape, batch_size, seed, **options)


def arrays(batch):
    return {name: value.numpy() for name, value in batch.items()}


def in_order(batch, shape=SHAPE):
    """Words, left and right of all positions of a step, in the order of the text."""
    used = batch["micro_steps"][0]
    window = shape.window
    return [
        values[:, :used].reshape(-1)
        for values in (batch["words"][..., window:-window], batch["left"], batch["right"])
    ]


def test_epochs_follow_the_text():
    """With nothing dropped, the positions of an epoch are the corpus, and the next epoch too."""
    tokens = corpus()
    steps = steps_per_epoch(len(tokens), 500)
    assert steps == 6 and len(tokens) % 500
    batches = [arrays(batch) for batch in stream(tokens).take(2 * steps)]
    for epoch in (batches[:steps], batches[steps:]):
        words = [in_order(batch)[0][: batch["raw_words"].sum()] for batch in epoch]
        np.testing.assert_array_equal(np.concatenate(words), tokens[tokens >= 0])
    assert not np.array_equal(batches[0]["noise"], batches[steps]["noise"])


def test_padding_has_no_context():
    last = arrays(list(stream(corpus()).take(6))[-1])
    _, left, right = in_order(last)
    count = last["raw_words"].sum()
    assert count < len(left)
    assert not left[count:].any() and not right[count:].any()


def test_windows_stay_in_their_document():
    # The hundreds digit would be the document: words of document d are all equal to d.
    tokens = np.concatenate([np.append(np.full(5 + d % 7, d), -1) for d in range(100)])
    for batch in stream(tokens.astype(np.int32)).take(6):
        batch = arrays(batch)
        for lane, step in np.ndindex(batch["words"].shape[:2]):
            for position in range(SHAPE.positions):
                at = position + SHAPE.window
                left = batch["left"][lane, step, position]
                right = batch["right"][lane, step, position]
                around = batch["words"][lane, step, at - left : at + right + 1]
                assert np.all(around == batch["words"][lane, step, at])


def test_blocks_continue_each_other():
    """Frames of one lane are consecutive text, with the window of words on both sides."""
    batch = arrays(next(iter(stream(corpus()))))
    window, positions = SHAPE.window, SHAPE.positions
    for lane in batch["words"][:, : batch["micro_steps"][0]]:
        for one, two in zip(lane[:-1], lane[1:], strict=True):
            np.testing.assert_array_equal(one[positions:], two[: 2 * window])


def test_window_sizes_are_even():
    """In one long document the sizes 1 to W are equally likely."""
    tokens = np.zeros(20_000, np.int32)
    shape = BlockShape(window=4, positions=16, noise=4, lanes=8)
    batch = arrays(next(iter(stream(tokens, shape=shape, batch_size=20_000))))
    words, left, right = in_order(batch, shape)
    shares = np.bincount(np.maximum(left, right), minlength=5)[1:] / 20_000
    np.testing.assert_allclose(shares, 0.25, atol=0.015)


def test_subsampling_keeps_its_share():
    generator = np.random.default_rng(0)
    tokens = generator.integers(0, 100, 40_000).astype(np.int32)
    keep = np.linspace(0.05, 1, 100)
    shape = BlockShape(window=2, positions=16, noise=4, lanes=8)
    batch = arrays(next(iter(stream(tokens, keep, shape, batch_size=40_000))))
    words, left, right = in_order(batch, shape)
    kept = np.bincount(words[(left > 0) | (right > 0)], minlength=100)
    shares = kept / np.bincount(tokens, minlength=100)
    np.testing.assert_allclose(shares, keep, atol=0.1)
    assert abs(kept.sum() / 40_000 - keep.mean()) < 0.01
    assert batch["raw_words"].sum() == 40_000


def test_nothing_kept_is_all_padding():
    batch = arrays(next(iter(stream(corpus(), keep=0.0))))
    assert not batch["left"].any() and not batch["right"].any()


def test_is_a_function_of_the_step():
    tokens = corpus()
    whole = [arrays(batch) for batch in stream(tokens, keep=0.7).take(7)]
    resumed = [arrays(batch) for batch in stream(tokens, keep=0.7, start_step=4).take(3)]
    for one, two in zip(whole[4:], resumed, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    assert not np.array_equal(whole[0]["noise"], whole[1]["noise"])
    other = arrays(next(iter(stream(tokens, keep=0.7, seed=8))))
    assert not np.array_equal(whole[0]["words"], other["words"])


def test_workers_share_a_step():
    tokens = corpus()
    whole = arrays(next(iter(stream(tokens, keep=0.7))))
    parts = [arrays(next(iter(stream(tokens, keep=0.7, worker=(i, 4))))) for i in range(4)]
    for name, value in whole.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), value)


def test_reads_a_memmap(tmp_path):
    tokens = corpus()
    tokens.tofile(tmp_path / "tokens.bin")
    mapped = np.memmap(tmp_path / "tokens.bin", np.int32, "r")
    for one, two in zip(stream(tokens).take(2), stream(mapped).take(2), strict=True):
        np.testing.assert_array_equal(one["words"], two["words"])


def test_small_steps_have_few_lanes():
    assert BlockShape.for_batch(65_536, 5).lanes == BlockShape().lanes
    assert BlockShape.for_batch(256, 3, positions=4).lanes == 8
    assert BlockShape.for_batch(8_192, 5).lanes == 16


def test_noise_follows_its_distribution():
    probabilities = np.array([0.5, 0.3, 0.15, 0.05, 0.0])
    drawn = NoiseSampler(probabilities).draw([100, 1000], tf.constant([1, 2])).numpy()
    shares = np.bincount(drawn.reshape(-1), minlength=5) / drawn.size
    np.testing.assert_allclose(shares, probabilities, atol=0.006)
    assert shares[4] == 0


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_alias_table_holds_the_distribution(size):
    probabilities = 1 / np.arange(1, size + 1)
    probabilities /= probabilities.sum()
    heights, aliases = alias_table(probabilities)
    mass = np.bincount(aliases, 1 - heights, minlength=size) + heights
    np.testing.assert_allclose(mass / size, probabilities, rtol=1e-9)
