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
    """Serves one folder as MODEL, at the revisions "main", "v1" and COMMIT.

    Attributes:
        fetched: names of the files whose content was asked for.
        ranges: the parts of them that were asked for, where not the whole.
        fault: what happens to the weights: "" nothing; "cut once", half of them at first; "gone",
            none; "corrupt", other bytes; "changed", more of them than was said before.
    """

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.folder = folder
        self.fetched, self.ranges, self.fault = [], [], ""


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
        return self._send_file(file, body)

    def _send_file(self, file, body):
        content, headers = file.read_bytes(), {"ETag": f'"{_digest(file)}"'}
        fault = self.server.fault if file.suffix == ".safetensors" and body else ""
        if fault == "corrupt":
            content = bytes(255 - byte for byte in content)
        elif fault == "changed":
            content += b" "
        status, size = 200, None
        if body:
            self.server.fetched.append(file.name)
            if (asked := self.headers.get("Range")) and fault != "changed":
                self.server.ranges.append(asked)
                begin = int(asked.removeprefix("bytes=").rstrip("-"))
                headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
                content, status = content[begin:], 206
            if fault in ("cut once", "gone"):
                kept = len(content) // 2 if fault == "cut once" else 0
                size, content = len(content), content[:kept]
                self.server.fault = "" if kept else fault
        return self._send(content, body, headers, status, size)

    def _send(self, content, body, headers=(), status=200, size=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if size is None else size))
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
    """As the Hub names files: weights by SHA-256."""
    kind = "sha256" if file.suffix == ".safetensors" else "sha1"
    return hashlib.new(kind, file.read_bytes()).hexdigest()


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
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
