"""The summary of a run: one JSON file in the output, and a POST to the user's webhook."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from lp_ray import storage
from lp_ray.base.errors import LpRayError, RefusedError
from lp_ray.coordinator.reporting import Summary
from lp_ray.plan.settings import Settings
from lp_ray.storage.policy import is_public

FORMAT_VERSION = 2
CONNECT_S, WHOLE_S = 10.0, 20.0
"""Seconds allowed for one step of a POST, and for the whole POST."""


def describe_run(settings: Settings, engine: str, started: datetime, summary: Summary | None, how: str) -> bytes:
    """Return the JSON of a run that has ended. `how` is complete, some_failed, terminated, interrupted or error.

    Without `summary`, the run was stopped; the results table then tells what it had finished.
    """
    ended = datetime.now(UTC)
    facts: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "run": settings.run,
        "outcome": how,
        "output": storage.display(settings.output),
        "engine": engine,
        "started_at": started.isoformat(timespec="seconds"),
        "finished_at": ended.isoformat(timespec="seconds"),
        "seconds": round((ended - started).total_seconds(), 3),
    }
    if summary is not None:
        facts |= {
            "pairs": summary.by_status,
            "pairs_before": summary.before,
            "errors": summary.by_error,
            "filters": summary.by_filter,
            "templates": {"made": summary.templates_made, "reused": summary.templates_reused},
            "frames": summary.frames,
        }
    return json.dumps(facts, indent=1).encode()


def write(settings: Settings, text: bytes) -> str:
    """Write the summary beside the results and return its URI."""
    uri = settings.output_layout.summary
    storage.put_bytes(uri, text)
    return uri


@dataclass(frozen=True)
class Webhook:
    """Where to POST a summary. The address may hold a secret, so messages show only its host."""

    secure: bool
    host: str
    port: int
    path: str
    private: bool

    def post(self, text: bytes) -> str:
        """POST the JSON and return a line on the outcome. Never raises, never takes longer than WHOLE_S seconds.

        Redirects are not followed.
        """
        said = [f"webhook: {self.host} took longer than {WHOLE_S:g} s"]

        def ask() -> None:
            said[0] = self._ask(text)

        thread = threading.Thread(target=ask, name="webhook", daemon=True)
        thread.start()
        thread.join(WHOLE_S)
        return said[0]

    def _ask(self, text: bytes) -> str:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=CONNECT_S)
        try:
            connection.sock = self._connect()  # given, http.client opens none of its own
            connection.request("POST", self.path, text, {"Content-Type": "application/json", "User-Agent": "lp_ray"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException, LpRayError, ValueError) as error:
            reason = str(error) if isinstance(error, LpRayError) else type(error).__name__
            return f"webhook: {self.host} was not told: {reason}"
        finally:
            connection.close()
        return f"webhook: {self.host} answered {status}"

    def _connect(self) -> socket.socket:
        """Connect to exactly the address that was checked."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        place = found[0][4]
        if not self.private and not is_public(str(place[0])):
            raise RefusedError(f"{place[0]} is not a public address (webhook_private=true allows it)")
        plain = socket.create_connection((str(place[0]), self.port), CONNECT_S)
        return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host) if self.secure else plain


def parse_webhook(address: str, private: bool) -> Webhook:
    """Read an address. Raises RefusedError, which does not show it, unless it is http(s) with host and no password."""
    parts = urlsplit(address)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise RefusedError("webhook: its port is not a number from 0 to 65535") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise RefusedError("webhook must be http://host/… or https://host/…, without a user name or password")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Webhook(parts.scheme == "https", parts.hostname, port, path, private)
