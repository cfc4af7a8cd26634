"""A hub on the loopback address that serves one repository the way huggingface_hub asks for it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lp_ray.models.artefacts import HUB_REPOSITORY, HUB_REVISION


@dataclass
class Hub:
    """Files by path; `cut` names one whose first transfer breaks off half way.

    It knows one revision, the commit that lp_ray pulls unless told otherwise.
    """

    files: Mapping[str, bytes]
    cut: str = ""
    endpoint: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path in the repository, Range header."""


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        prefix = f"/{HUB_REPOSITORY}/resolve/{HUB_REVISION}/"
        path = self.path.partition("?")[0]
        asked = path.partition("/revision/")[2] or path.partition("/tree/")[2].partition("/")[0]
        if path.startswith("/api/models/") and asked != HUB_REVISION:
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"}, body)
        elif path.startswith("/api/models/"):
            names = [{"rfilename": name} for name in self.hub.files]
            info = {"id": HUB_REPOSITORY, "sha": HUB_REVISION, "siblings": names}
            if "/tree/" in path:
                info = [{"type": "file", "path": n, "size": len(d), "oid": "0" * 40} for n, d in self.hub.files.items()]
            self._send(200, json.dumps(info).encode(), {"Content-Type": "application/json"}, body)
        elif path.startswith(prefix) and path.removeprefix(prefix) in self.hub.files:
            self._send_file(path.removeprefix(prefix), body)
        else:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)

    def _send_file(self, name: str, body: bool) -> None:
        data, asked = self.hub.files[name], self.headers.get("Range")
        self.hub.requests.append((self.command, name, asked))
        headers = {
            "X-Repo-Commit": HUB_REVISION,
            "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
            "Accept-Ranges": "bytes",
        }
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if body and self.hub.cut == name:
            self.hub.cut = ""
            self._send(200, data[: len(data) // 2], headers, body, len(data))
            self.close_connection = True
            return
        self._send(206 if asked else 200, data[start:], headers, body)

    def _send(
        self, status: int, data: bytes, headers: Mapping[str, str], body: bool, announced: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) if announced is None else announced))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass
