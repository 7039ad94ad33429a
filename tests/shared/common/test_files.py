"""Atomic writes, checksums, and what names may do."""

import errno
import os
import stat

import pytest

from shared.common import files
from shared.common.checksums import verify_checksum, write_checksum
from shared.common.errors import KerasuiteError
from shared.common.files import atomic_path, printable, read_json


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


def test_errors_without_a_file_get_one(tmp_path):
    with pytest.raises(OSError, match="No space left") as error, atomic_path(tmp_path / "x.npz"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(tmp_path / "x.npz") and not list(tmp_path.iterdir())


def test_a_damaged_json_file_is_named(tmp_path):
    (tmp_path / "artifacts.json").write_text('{"words": 1')
    with pytest.raises(KerasuiteError, match=r"artifacts\.json: is damaged"):
        read_json(tmp_path / "artifacts.json")


def test_names_cannot_command_the_terminal():
    name = "\x1b]0;owned\x07\x1b[31m\nx\u202egpj\u2028.png"
    shown = printable(name)
    assert shown == r"\x1b]0;owned\x07\x1b[31m\nx\u202egpj\u2028.png"
    for kept in ("Käse 猫 😀 \u0915\u094d\u200d\u0937", "a\xa0b"):
        assert printable(kept) == kept


def test_checksums_tell_what_changed(tmp_path):
    path = tmp_path / "tokens.bin"
    path.write_bytes(bytes(1000))
    verify_checksum(path)
    write_checksum(path)
    verify_checksum(path)
    path.write_bytes(bytes(999) + b"\x03")
    with pytest.raises(KerasuiteError, match=r"tokens\.bin: is damaged"):
        verify_checksum(path)
