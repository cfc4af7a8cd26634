"""The summary of a run: a webhook gets it, is checked, and never holds up a job."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.report import summary
from lp_ray.report.summary import parse_webhook

TEXT = b'{"outcome": "complete"}'


class Server(ThreadingHTTPServer):
    """Keeps what it was sent; `/moved` redirects to another path, `/slow` says nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, bytes]] = []
        self.let_go = threading.Event()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        if self.path == "/slow":
            self.server.let_go.wait()
        self.send_response(302 if self.path == "/moved" else 200)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.let_go.set()
    server.shutdown()
    server.server_close()
    thread.join()


def address(server: Server, path: str) -> str:
    return f"http://127.0.0.1:{server.server_port}{path}"


@pytest.mark.parametrize(("path", "status"), [("/hook?token=s3cret", 200), ("/moved", 302)])
def test_the_summary_is_posted_once_and_no_redirect_followed(server: Server, path: str, status: int) -> None:
    said = parse_webhook(address(server, path), private=True).post(TEXT)
    assert said == f"webhook: 127.0.0.1 answered {status}"
    assert server.asked == [(path, TEXT)]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1"])
def test_an_address_that_is_not_public_is_not_connected_to(server: Server, host: str) -> None:
    said = parse_webhook(f"http://{host}:{server.server_port}/s3cret", private=False).post(TEXT)
    assert "is not a public address (webhook_private=true allows it)" in said and "s3cret" not in said
    assert server.asked == []


def test_a_server_that_says_nothing_keeps_no_job(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """`post` returns while the server is still silent."""
    monkeypatch.setattr(summary, "WHOLE_S", 0.5)
    assert "took longer than" in parse_webhook(address(server, "/slow"), private=True).post(TEXT)
    assert not server.let_go.is_set()


def test_nobody_there_is_said_without_the_address() -> None:
    with socket.socket() as bound:  # and never listening
        bound.bind(("127.0.0.1", 0))
        said = parse_webhook(f"http://127.0.0.1:{bound.getsockname()[1]}/s3cret", private=True).post(TEXT)
    assert said == "webhook: 127.0.0.1 was not told: ConnectionRefusedError"


@pytest.mark.parametrize(
    "wrong", ["ftp://host/s3cret", "host/s3cret", "http:///s3cret", "https://user:s3cret@host/", "http://host:x/s3cret"]
)
def test_a_wrong_address_is_refused_and_not_shown(wrong: str) -> None:
    with pytest.raises(RefusedError, match="webhook") as caught:
        parse_webhook(wrong, private=False)
    assert "s3cret" not in str(caught.value)
