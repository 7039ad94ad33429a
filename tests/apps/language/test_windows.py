"""Windows: every token is trained on, and evaluated once."""

import numpy as np
import pytest

from apps.language.windows import EvaluationWindows, TrainingWindows
from shared.text.special_tokens import PAD


@pytest.mark.parametrize(("size", "length"), [(4, 3), (8, 3), (100, 7), (51, 50), (99, 50)])
def test_an_epoch_covers_the_row_once(size, length):
    tokens = np.arange(10, 10 + size, dtype=np.int32)
    windows = TrainingWindows(tokens, length, seed=3)
    begins = set()
    for epoch in range(40):
        positions = np.arange(len(windows)) + epoch * len(windows)
        batch = windows.batch(positions)["tokens"]
        assert batch.shape == (len(windows), length + 1)
        np.testing.assert_array_equal(np.diff(batch, axis=1), 1)
        starts = np.sort(batch[:, 0]) - 10
        np.testing.assert_array_equal(np.diff(starts), length)
        assert starts[0] < length and starts[-1] + length < size
        begins.add(int(starts[0]))
    # As many offsets as there is room for, at most one window's.
    assert len(begins) > min(length, size - len(windows) * length) // 2


def test_windows_depend_on_seed_and_position_alone():
    tokens = np.random.default_rng(0).integers(0, 99, 500).astype(np.int32)
    windows = TrainingWindows(tokens, 9, seed=1)
    positions = np.arange(40, 160)
    together = windows.batch(positions)["tokens"]
    again = TrainingWindows(tokens, 9, seed=1)
    apart = [again.batch(positions[[row]])["tokens"][0] for row in range(len(positions))]
    np.testing.assert_array_equal(together, apart)
    other = TrainingWindows(tokens, 9, seed=2).batch(positions)["tokens"]
    assert (other != together).any()
    assert (windows.batch(positions + len(windows))["tokens"] != together).any()


@pytest.mark.parametrize("size", [2, 3, 8, 9, 10, 13, 100])
@pytest.mark.parametrize(("length", "overlap"), [(8, 4), (8, 0), (5, 2), (2, 1), (64, 32)])
def test_every_token_is_evaluated_once(size, length, overlap):
    tokens = np.arange(10, 10 + size, dtype=np.int32)
    windows = EvaluationWindows(tokens, length, overlap)
    batch = windows.batch(np.arange(len(windows)))
    counted = batch["counted"]
    np.testing.assert_array_equal(batch["tokens"][:, 1:][counted], tokens[1:])
    # Each with the overlap at least before it, or the whole beginning.
    for row, column in zip(*np.nonzero(counted), strict=True):
        assert column >= windows.overlap or row == 0
    assert (batch["tokens"][:, 1:][~counted & (batch["tokens"][:, 1:] == PAD)] == PAD).all()
