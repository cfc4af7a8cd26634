"""A process that answers S3's ListObjectsV2 for a bucket of any number of objects, and counts what it is asked."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PREFIX = "portraits/2026/"
PAGE = 1000


class _Listings(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    n_objects = 0
    n_requests = 0

    def do_GET(self) -> None:
        if self.path == "/count":
            self._answer(str(_Listings.n_requests))
            return
        _Listings.n_requests += 1
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if asked.get("list-type") != "2" or not asked.get("prefix", "").startswith(PREFIX):
            self.send_error(501, "listings of the one prefix only")
            return
        first = int(asked.get("continuation-token", "0"))
        stop = min(first + PAGE, _Listings.n_objects)
        entries = "".join(
            f"<Contents><Key>{PREFIX}{i:08d}.jpg</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified>"
            f'<ETag>"{i:032x}"</ETag><Size>{1000 + i}</Size><StorageClass>STANDARD</StorageClass></Contents>'
            for i in range(first, stop)
        )
        more = stop < _Listings.n_objects
        token = f"<NextContinuationToken>{stop}</NextContinuationToken>" if more else ""
        self._answer(
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>bucket</Name><Prefix>{asked['prefix']}</Prefix><MaxKeys>{PAGE}</MaxKeys>"
            f"<KeyCount>{stop - first}</KeyCount><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{token}{entries}</ListBucketResult>"
        )

    def _answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing to say."""


@contextmanager
def serve_listings(n_objects: int) -> Iterator[tuple[dict[str, str], Callable[[], int]]]:
    """Serve a bucket; give the environment that leads S3 clients to it, and the number of requests so far."""
    command = [sys.executable, "-m", "benchmarks.listings", str(n_objects)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stdout is not None
        endpoint = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

        def requests() -> int:
            with urllib.request.urlopen(f"{endpoint}/count") as answer:  # noqa: S310 - our own server
                return int(answer.read())

        try:
            yield environment, requests
        finally:
            server.terminate()


if __name__ == "__main__":
    _Listings.n_objects = int(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), _Listings) as listening:
        print(listening.server_address[1], flush=True)
        listening.serve_forever()
