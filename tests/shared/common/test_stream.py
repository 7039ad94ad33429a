"""The order of the data: permutations, exact positions, workers."""

import itertools

import numpy as np
import pytest

from shared.common import stream


def rows(dataset, steps):
    """(index, seed pair, step) of every row of the first steps."""
    batches = list(dataset.take(steps))
    return [
        (int(i), tuple(int(s) for s in seed), int(step))
        for indices, seeds, numbers in batches
        for i, seed, step in zip(indices, seeds, numbers, strict=True)
    ]


@pytest.mark.parametrize(("examples", "batch"), [(10, 4), (7, 7), (3, 8), (1, 2), (100, 9)])
def test_every_epoch_is_a_permutation(examples, batch):
    steps = -(-5 * examples // batch)
    indices = [index for index, _, _ in rows(stream.training_steps(examples, batch, 1), steps)]
    for epoch in range(5):
        part = indices[epoch * examples : (epoch + 1) * examples]
        assert sorted(part) == list(range(examples))


def test_epochs_and_seeds_have_other_orders():
    orders = []
    for seed in range(4):
        indices = [i for i, _, _ in rows(stream.training_steps(50, 50, seed), 4)]
        orders += [tuple(indices[k * 50 : (k + 1) * 50]) for k in range(4)]
    assert len(set(orders)) == 16


def test_position_seeds_are_unique_over_epochs():
    seeds = [seed for _, seed, _ in rows(stream.training_steps(20, 8, 3), 50)]
    assert len(set(seeds)) == len(seeds) == 400


@pytest.mark.parametrize("start", [0, 1, 5, 17])
def test_starting_late_equals_skipping(start):
    whole = rows(stream.training_steps(13, 4, 2), 25)
    late = rows(stream.training_steps(13, 4, 2, start), 25 - start)
    assert late == whole[4 * start :]


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("batch", [3, 4, 7])
def test_workers_share_every_global_batch(workers, batch):
    whole = rows(stream.training_steps(11, batch, 5), 6)
    parts = [
        rows(stream.training_steps(11, batch, 5, 0, (index, workers)), 6)
        for index in range(workers)
    ]
    for step in range(6):
        together = itertools.chain(*([row for row in part if row[2] == step] for part in parts))
        assert list(together) == whole[step * batch : (step + 1) * batch]


def test_order_looks_random():
    """No correlation between position and index, and between neighbouring indices."""
    indices = np.array([i for i, _, _ in rows(stream.training_steps(2000, 2000, 1), 1)])
    assert abs(np.corrcoef(np.arange(2000), indices)[0, 1]) < 0.08
    assert abs(np.corrcoef(indices[:-1], indices[1:])[0, 1]) < 0.08


@pytest.mark.parametrize(("examples", "batch", "steps"), [(10, 5, 2), (10, 4, 3), (3, 8, 1)])
def test_steps_per_epoch_cover_the_data(examples, batch, steps):
    assert stream.steps_per_epoch(examples, batch) == steps


def test_rows_of_several_examples_stay_together():
    """Three workers share batches of four rows of five examples: no row is cut."""
    whole = rows(stream.training_steps(11, 20, 5), 3)
    parts = [
        rows(stream.training_steps(11, 4, 5, 0, (index, 3), examples_per_row=5), 3)
        for index in range(3)
    ]
    assert all(len(part) % 5 == 0 for part in parts)
    for step in range(3):
        together = itertools.chain(*([row for row in part if row[2] == step] for part in parts))
        assert list(together) == whole[step * 20 : (step + 1) * 20]
