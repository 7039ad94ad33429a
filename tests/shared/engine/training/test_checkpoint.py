"""Checkpoints: whole ones come back exactly, damaged ones are skipped."""

import keras
import numpy as np
import pytest

from shared.engine.training.checkpoint import CheckpointFolder


@pytest.fixture
def saved(tmp_path):
    """A folder with the checkpoints of steps 1 and 2, and its variables."""
    variables = {f"model/{n}": keras.Variable(np.zeros(5, "float32")) for n in range(2)}
    folder = CheckpointFolder(tmp_path)
    for step in (1, 2):
        for variable in variables.values():
            variable.assign(np.full(5, step, "float32"))
        folder.save(step, variables, {"step": step})
    return folder, variables


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_byte_anywhere_costs_one_checkpoint_at_most(saved, seed):
    folder, variables = saved
    newest = folder.paths()[-1]
    whole = newest.read_bytes()
    for position in np.random.default_rng(seed).permutation(len(whole))[:150]:
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        newest.write_bytes(damaged)
        step = folder.load_latest(variables)["step"]
        assert step in (1, 2)
        for variable in variables.values():
            np.testing.assert_array_equal(variable, np.full(5, step))
