"""Read over http(s), but never from private networks.

`Policy.check` checks the address as typed. A redirect, or a name that resolves to another address a moment later, would
get past it. So every connection is checked again when it is opened, by its numeric address.
"""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import aiohttp

from lp_ray.base.errors import SchemeNotAllowedError
from lp_ray.storage.policy import is_public


async def public_client(**kwargs: Any) -> aiohttp.ClientSession:
    """Return fsspec's http session: it connects only to public addresses and follows redirects only within one host."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_check_redirect)
    connector = aiohttp.TCPConnector(socket_factory=_public_socket)
    return aiohttp.ClientSession(connector=connector, trace_configs=[trace], **kwargs)


def _public_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, place = address
    if not is_public(str(place[0])):
        raise SchemeNotAllowedError(f"{place[0]} is not a public address; it is not read over http")
    return socket.socket(family, kind, protocol)


async def _check_redirect(
    session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
) -> None:
    location = params.response.headers.get("Location", "")
    target = params.url.join(type(params.url)(location))
    if target.host != params.url.host or (params.url.scheme == "https" and target.scheme != "https"):
        raise SchemeNotAllowedError(f"{params.url.host} redirects to {target.host}; give the final address")
