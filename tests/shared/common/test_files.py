"""Atomic writes."""

import os
import stat

import pytest

from shared.common import files


def test_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "file.txt"
    files.write_text(target, "old")
    with pytest.raises(RuntimeError), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_temporary_name_keeps_the_suffix_and_permissions_are_normal(tmp_path):
    with files.atomic_path(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        temporary.write_bytes(b"x")
    (tmp_path / "plain").write_text("")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_failed_folder_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), files.atomic_folder(tmp_path / "new") as temporary:
        (temporary / "part").write_text("half")
        raise RuntimeError
    assert os.listdir(tmp_path) == []
