"""One process writes a run folder, and what a killed one left goes."""

import fcntl
import os

import pytest

from shared.common.errors import KerasuiteError
from shared.engine.run_folder import LOCK, locked, refuse_to_overwrite
from tests.shared.engine.training.test_train import final_state, train_toy


def test_a_second_process_is_refused_and_touches_nothing(tmp_path):
    folder = tmp_path / "run"
    with locked(folder):
        (folder / "config.yaml").write_text("task: toy\n")
        with pytest.raises(KerasuiteError, match="another process trains this run"), locked(folder):
            pass
        with pytest.raises(KerasuiteError, match="another process|already holds"):
            train_toy(folder, epochs=1)
        assert sorted(os.listdir(folder)) == [LOCK, "config.yaml"]
    assert os.listdir(folder) == ["config.yaml"]
    with locked(folder):  # It was given back.
        pass


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    """The folder may go with its lock, between the opening of the file and the lock."""
    folder, flock, calls = tmp_path / "run", fcntl.flock, []

    def remove_first(file, how):
        if not calls:
            (folder / LOCK).unlink()
            folder.rmdir()
        calls.append(how)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with locked(folder):
        assert len(calls) == 2
        with pytest.raises(KerasuiteError, match="another process"), locked(folder):
            pass


def test_leftovers_of_a_kill_are_no_content_and_go(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".partial-abc.yaml").write_bytes(b"half")
    refuse_to_overwrite(folder, resume=False)
    run = train_toy(folder, epochs=1)
    (folder / "checkpoints" / ".partial-x.npz").write_bytes(b"half")
    train_toy(folder, True, epochs=2)
    assert not list(folder.rglob(".partial-*")) and not (folder / LOCK).exists()
    assert final_state(run.folder)


def test_a_failed_start_leaves_no_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "run"):
        raise ZeroDivisionError
    assert not (tmp_path / "run").exists()
