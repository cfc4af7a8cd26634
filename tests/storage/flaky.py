"""A gateway in front of the real S3 server that misbehaves for a number of requests, then lets all through."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>planted</Message></Error>"


class FlakyGateway:
    """Listens on a free loopback port and forwards to `endpoint`, one request per connection.

    The next `n_bad` requests are answered by what `bad` says instead: an HTTP status and S3 error code such as
    "503 SlowDown", "reset" (the connection is torn down), or "cut" (the real answer, without its second half).
    """

    def __init__(self, endpoint: str) -> None:
        self._target = urlsplit(endpoint)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.bad, self.n_bad = "", 0
        self.requests: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def misbehave(self, bad: str, n_bad: int) -> None:
        self.bad, self.n_bad = bad, n_bad
        self.requests.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = _read_message(connection)
            if not request:
                return
            self.requests.append(request.split(b"\r\n", 1)[0].decode())
            bad, self.n_bad = (self.bad if self.n_bad > 0 else ""), self.n_bad - 1
            if bad == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # close sends RST
                return
            if bad and bad != "cut":
                connection.sendall(_answer(*bad.split()))
                return
            answer = self._forward(request)
            connection.sendall(answer[: len(answer) // 2] if bad == "cut" else answer)

    def _forward(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        with socket.create_connection((self._target.hostname, self._target.port)) as upstream:
            upstream.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
            answer = b""
            while block := upstream.recv(1 << 16):
                answer += block
        return answer


def _read_message(connection: socket.socket) -> bytes:
    """Read one HTTP request, its body by Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(1 << 16)
        if not block:
            return b""
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if fields.get(b"expect") == b"100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = b"\r\n".join(line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect"))
    while len(body) < int(fields.get(b"content-length", b"0")):
        body += connection.recv(1 << 16)
    return head + b"\r\n\r\n" + body


def _answer(status: str, code: str) -> bytes:
    body = _ERROR.format(code=code).encode()
    head = f"HTTP/1.1 {status} Planted\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
