"""Checkpoints of the Hub, which a server on this machine plays."""

import numpy as np
import pytest

from apps.bert.checkpoint.hub import read_hub
from shared.common.errors import KerasuiteError
from tests.apps.bert.checkpoint.random_checkpoints import bert_tensors, write_hugging_face
from tests.shared.common.hub_server import COMMIT, MODEL, point_at, serving


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = write_hugging_face(tmp_path / "served", bert_tensors())
    for name in ("pytorch_model.bin", "README.md", "tf_model.h5", "training_args.bin"):
        (folder / name).write_bytes(b"not wanted")
    with serving(folder, tmp_path / "cache", monkeypatch) as server:
        yield server


@pytest.mark.parametrize("revision", ["", "@main", "@v1", f"@{COMMIT}"])
def test_fetched_once_and_nothing_else(hub, revision):
    text = f"hf:{MODEL}{revision}"
    checkpoint = read_hub(text)
    assert checkpoint.source == text
    for name, tensor in bert_tensors().items():
        np.testing.assert_array_equal(checkpoint.tensors[name.removeprefix("bert.")], tensor)
    wanted = ["README.md", "config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"]
    assert sorted(hub.fetched) == wanted
    assert read_hub(text).vocabulary == checkpoint.vocabulary
    assert sorted(hub.fetched) == wanted


def test_from_the_cache_when_offline(hub, monkeypatch):
    read_hub(f"hf:{MODEL}")
    # Nobody listens at this port.
    point_at(monkeypatch, "http://127.0.0.1:9")
    assert len(read_hub(f"hf:{MODEL}").tensors) == len(bert_tensors())
    with pytest.raises(KerasuiteError, match="hf:org/other: the Hub cannot be reached, and the mo"):
        read_hub("hf:org/other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hf:org/other", "hf:org/other: there is no such model"),
        (f"hf:{MODEL}@v9", "has no revision 'v9'"),
        ("hf:", "is no name on the Hub; write hf:ORG/NAME"),
        ("hf:a/b/c", "is no name on the Hub"),
        ("hf:org/--name", "is no name on the Hub"),
    ],
)
def test_bad_names(hub, text, message):
    with pytest.raises(KerasuiteError, match=message):
        read_hub(text)


def test_only_a_pickle_on_the_hub(hub):
    (hub.folder / "model.safetensors").unlink()
    with pytest.raises(KerasuiteError, match="model.safetensors is needed"):
        read_hub(f"hf:{MODEL}")
    assert "pytorch_model.bin" not in hub.fetched
