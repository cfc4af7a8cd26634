"""Where inputs may come from, and how the web is kept out of private networks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import aiohttp
import pytest

from lp_ray import storage
from lp_ray.base.errors import SchemeNotAllowedError
from lp_ray.storage import web
from lp_ray.storage.policy import is_public

WEB = storage.Policy(schemes=frozenset({"http", "https"}))


@pytest.mark.parametrize("uri", ["http://example.org/a.jpg", "ftp://h/a.jpg", "ssh://h/a", "data://x"])
def test_other_schemes_are_off_by_default(uri: str) -> None:
    with pytest.raises(SchemeNotAllowedError, match="not allowed"):
        storage.Policy().check(storage.normalise(uri))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1", "192.168.1.1", "[::1]", "0.0.0.0"),
        *("[::ffff:169.254.169.254]", "2130706433", "[fd00:ec2::254]", "100.64.0.1"),
    ],
)
def test_private_metadata_and_loopback_addresses_are_refused(host: str) -> None:
    with pytest.raises(SchemeNotAllowedError, match=r"public|resolved"):
        WEB.check(f"http://{host}/latest/meta-data")


def test_public_addresses_are_public() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700::1111")


def test_prefixes_hold_for_whole_names_links_and_dots(tmp_path: Path) -> None:
    for folder in ("in", "in-other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "in-other")
    policy = storage.Policy(prefixes=(storage.normalise(str(tmp_path / "in")), "s3://bucket/in/"))
    for good in (f"{tmp_path}/in/a.jpg", "s3://bucket/in/a.jpg"):
        policy.check(storage.normalise(good))
    bad = [f"{tmp_path}/in-other/a.jpg", f"{tmp_path}/in/../x", f"{tmp_path}/in/link/a.jpg"]
    bad += ["s3://bucket/in-other/a", "s3://bucket/in/../a", "s3://bucket/in/%2e%2E/a", "s3://other/in/a"]
    for uri in bad:
        with pytest.raises(SchemeNotAllowedError):
            policy.check(storage.normalise(uri))


class _Redirecting(BaseHTTPRequestHandler):
    """`/to/<address>` redirects there; anything else answers with bytes."""

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"bytes")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def web_server() -> Iterator[str]:
    """A web server on the loopback address."""
    server = HTTPServer(("127.0.0.1", 0), _Redirecting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_connection_to_a_private_address_is_refused_where_it_is_made(web_server: str) -> None:
    """Even if the policy was never asked, or the name resolved differently then."""
    with pytest.raises(SchemeNotAllowedError, match="not a public address"):
        storage.read_bytes(f"{web_server}/x")


def test_redirects_stay_on_their_host(web_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "is_public", lambda address: address == "127.0.0.1")

    async def get(path: str) -> bytes:
        async with await web.public_client() as session, session.get(web_server + path) as response:
            return await response.read()

    assert asyncio.run(get("/x")) == b"bytes"
    assert asyncio.run(get("/to//x")) == b"bytes"
    for target in ("http://169.254.169.254/latest", "http://localhost:1/x"):
        with pytest.raises((SchemeNotAllowedError, aiohttp.ClientError), match="redirects to"):
            asyncio.run(get(f"/to/{target}"))
