"""The Hub, played by a server on this machine."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from huggingface_hub import constants

from apps.bert.checkpoint.hub import read_hub
from shared.common.errors import KerasuiteError
from tests.apps.bert.checkpoint.random_checkpoints import bert_tensors, write_hugging_face

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = "org/tiny-bert"


class HubServer(ThreadingHTTPServer):
    """Serves one folder as MODEL, at the revisions "main", "v1" and COMMIT."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.folder = folder
        self.fetched = []


class HubRequest(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, body):
        path = self.path.partition("?")[0]
        if not path.startswith((f"/api/models/{MODEL}/", f"/{MODEL}/resolve/")):
            return self._refuse("RepoNotFound")
        if path.startswith("/api/") and path.split("/")[-1] not in ("main", "v1", COMMIT):
            return self._refuse("RevisionNotFound")
        if path.startswith(f"/api/models/{MODEL}/revision/"):
            return self._send(json.dumps({"id": MODEL, "sha": COMMIT}).encode(), body)
        files = sorted(self.server.folder.iterdir())
        if path.startswith(f"/api/models/{MODEL}/tree/"):
            return self._send(json.dumps([_entry(file) for file in files]).encode(), body)
        file = self.server.folder / path.split("/")[-1]
        if body:
            self.server.fetched.append(file.name)
        return self._send(file.read_bytes(), body, {"ETag": f'"{_digest(file)}"'})

    def _send(self, content, body, headers=()):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        for name, value in {"X-Repo-Commit": COMMIT, **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _refuse(self, code):
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def _entry(file):
    return {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _digest(file)}


def _digest(file):
    return hashlib.sha1(file.read_bytes()).hexdigest()


def point_at(monkeypatch, endpoint):
    """The library reads HF_ENDPOINT when it is imported, which is too early here."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.removeprefix(constants.ENDPOINT)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + template)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = write_hugging_face(tmp_path / "served", bert_tensors())
    for name in ("pytorch_model.bin", "README.md", "tf_model.h5", "training_args.bin"):
        (folder / name).write_bytes(b"not wanted")
    server = HubServer(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point_at(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("revision", ["", "@main", "@v1", f"@{COMMIT}"])
def test_fetched_once_and_nothing_else(hub, revision):
    text = f"hf:{MODEL}{revision}"
    checkpoint = read_hub(text)
    assert checkpoint.source == text
    for name, tensor in bert_tensors().items():
        np.testing.assert_array_equal(checkpoint.tensors[name.removeprefix("bert.")], tensor)
    wanted = ["config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"]
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
