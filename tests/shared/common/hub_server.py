"""The Hub, played by a server on this machine."""

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = "org/tiny-model"


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


@contextlib.contextmanager
def serving(folder, cache, monkeypatch):
    """A server of a folder, to which the library goes, with a cache of its own."""
    server = HubServer(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point_at(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()
