"""Faults of the network, of the disk and of the server; a download that goes on."""

import errno
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants, file_download
from safetensors.numpy import load_file, save_file

from shared.common.errors import KerasuiteError
from shared.common.hugging_face_hub import fetch
from shared.common.weights_origin import NOT_NAMED, origin_of
from tests.in_process import run_command
from tests.shared.common.hub_server import COMMIT, MODEL, point_at, serving

FILES = ("config.json", "README.md", "model.safetensors")
NAME = f"hf:{MODEL}"
NUMBERS = np.arange(50_000, dtype=np.float32)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Model\n")
    save_file({"numbers": NUMBERS}, folder / "model.safetensors")
    monkeypatch.setattr(file_download.time, "sleep", lambda seconds: None)
    with serving(folder, tmp_path / "cache", monkeypatch) as server:
        yield server


def error_of(**options):
    with pytest.raises(KerasuiteError) as error:
        fetch(NAME, FILES, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_download_goes_on_where_it_was_cut_off(hub, monkeypatch):
    hub.fault = "cut once"
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    folder = fetch(NAME, FILES)
    (asked,) = hub.ranges
    half = (folder / "model.safetensors").stat().st_size // 2
    assert half - 1000 <= int(asked.removeprefix("bytes=").rstrip("-")) <= half
    np.testing.assert_array_equal(load_file(folder / "model.safetensors")["numbers"], NUMBERS)


def test_a_server_that_breaks_off_for_good(hub):
    hub.fault = "gone"
    assert "the Hub cannot be reached, and the model is not in this" in error_of()
    hub.fault = ""
    hub.fetched.clear()
    fetch(NAME, FILES)
    # What was whole is not fetched again.
    assert hub.fetched == ["model.safetensors"]


def test_damaged_files_are_named(hub):
    hub.fault = "corrupt"
    error = error_of()
    assert "model.safetensors: its SHA-256 is not " in error and "fetch it again" in error
    # It stays there, until it is removed.
    hub.fault = ""
    assert error_of() == error
    (blob,) = {part for part in error.split() if "/blobs/" in part}
    Path(blob).unlink()
    fetch(NAME, FILES)


def test_a_file_that_changed_meanwhile(hub):
    hub.fault = "changed"
    assert "a file has another size than the Hub says; it changed meanwhile" in error_of()


def test_a_full_disk(hub, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file_download, "http_get", full)
    assert (
        "no space is left for it in " in (error := error_of())
        and "files that are whole are kept" in error
    )


def test_a_proxy_without_an_answer(hub, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    huggingface_hub.close_session()
    try:
        assert "the Hub cannot be reached, and the model is not in this machine" in error_of()
    finally:
        huggingface_hub.close_session()


def test_offline(hub, monkeypatch):
    assert error_of(offline=True).endswith("run this once without --offline")
    fetch(NAME, FILES)
    hub.fetched.clear()
    point_at(monkeypatch, "http://127.0.0.1:9")
    assert (fetch(NAME, FILES, offline=True) / "model.safetensors").is_file()
    assert not hub.fetched


def test_the_origin_of_weights(hub, tmp_path):
    folder = fetch(NAME, FILES)
    facts = origin_of(NAME, folder)
    sha256 = facts.pop("SHA-256 of model.safetensors")
    assert facts == {"imported_from": NAME, "licence": "apache-2.0", "revision": COMMIT}
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    assert origin_of("x", tmp_path) == {
        "imported_from": "x",
        "licence": NOT_NAMED,
        "SHA-256 of model.safetensors": sha256,
    }


@pytest.mark.parametrize("task", ["bert", "lm", "translate"])
def test_the_option(task, tmp_path, monkeypatch):
    with serving(tmp_path, tmp_path / "cache", monkeypatch) as server:
        done = run_command(task, "import", NAME, "--offline", "--output", tmp_path / "run")
    assert done.returncode == 1 and "run this once without --offline" in done.stderr
    assert not server.fetched
