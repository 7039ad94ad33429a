"""Batches of pairs: complete, reproducible, of like length, within their budget."""

import numpy as np
import pytest

from shared.text.batch_plan import BatchPlan


@pytest.fixture
def lengths():
    generator = np.random.default_rng(3)
    source = generator.integers(2, 30, 500)
    return np.stack([source, np.maximum(2, source + generator.integers(-4, 5, 500))], axis=1)


def epoch(plan, number):
    steps = plan.steps_per_epoch
    return [plan.texts_of(number * steps + step) for step in range(steps)]


@pytest.mark.parametrize("budget", [{"batch_tokens": 300, "batch_size": 0},
                                    {"batch_tokens": 0, "batch_size": 7}])  # fmt: skip
def test_every_epoch_has_every_pair_once(lengths, budget):
    plan = BatchPlan(lengths, **budget, seed=1)
    for number in range(3):
        pairs = np.concatenate(epoch(plan, number))
        np.testing.assert_array_equal(np.sort(pairs), np.arange(500))


def test_batches_keep_to_their_tokens(lengths):
    source, target = lengths.T
    plan = BatchPlan(lengths, 300, 0, seed=1)
    batches = epoch(plan, 0)
    last = int(np.lexsort((source, -(-target // 2)))[-1])  # one of the longest pairs
    for pairs in batches:
        longest = max(source[pairs].max(), target[pairs].max())
        joined = 7 if target[pairs].max() >= target[last] - 1 else 0
        assert (len(pairs) - joined) * longest <= 300
    filled = sum(len(pairs) * max(source[pairs].max(), target[pairs].max()) for pairs in batches)
    assert filled > 0.85 * 300 * len(batches)


def test_texts_of_a_batch_have_like_lengths(lengths):
    source, target = lengths.T
    batches = epoch(BatchPlan(lengths, 300, 0, seed=1), 0)
    used = sum(source[pairs].sum() + target[pairs].sum() for pairs in batches)
    held = sum(len(p) * (source[p].max() + target[p].max()) for p in batches)
    assert used > 0.8 * held


def test_a_step_is_a_function_of_the_seed(lengths):
    plans = [BatchPlan(lengths, 300, 0, seed=seed) for seed in (1, 1, 2)]
    later = plans[1].steps_per_epoch + 3
    np.testing.assert_array_equal(plans[0].texts_of(later), plans[1].texts_of(later))
    # Going back gives what was given before.
    first = plans[0].texts_of(2)
    plans[0].texts_of(later)
    np.testing.assert_array_equal(plans[0].texts_of(2), first)
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(epoch(plans[0], 0), epoch(plans[2], 0), strict=True)
    )


def test_epochs_put_other_pairs_together(lengths):
    plan = BatchPlan(lengths, 300, 0, seed=1)
    one = {frozenset(pairs.tolist()) for pairs in epoch(plan, 0)}
    two = {frozenset(pairs.tolist()) for pairs in epoch(plan, 1)}
    assert len(one & two) < len(one) / 2


@pytest.mark.parametrize("count", [1, 5, 8, 13])
def test_few_pairs(count):
    plan = BatchPlan(np.tile([4, 5], (count, 1)), 24, 0, seed=1)
    assert sum(len(pairs) for pairs in epoch(plan, 0)) == count
    assert all(len(pairs) for pairs in epoch(plan, 0))
