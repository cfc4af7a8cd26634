"""The rules for where inputs may come from."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from lp_ray.base.errors import SchemeNotAllowedError
from lp_ray.storage.uri import display, local_path, scheme_of

DEFAULT_SCHEMES = frozenset({"file", "s3", "gs", "gcs", "az", "abfs", "memory"})
"""Object stores and local files. http(s) must be enabled explicitly, because it lets a manifest reach private networks.
"""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_DOT = re.compile(r"%2e", re.IGNORECASE)  # web servers may decode it before they resolve ".."


@dataclass(frozen=True)
class Policy:
    """An allow-list for input URIs: by scheme, and also by prefix if any prefix is given."""

    schemes: frozenset[str] = DEFAULT_SCHEMES
    prefixes: tuple[str, ...] = ()

    def check(self, uri: str) -> None:
        """Raise SchemeNotAllowedError unless the normalised `uri` may be read."""
        scheme = scheme_of(uri)
        if scheme not in self.schemes:
            raise SchemeNotAllowedError(
                f"{display(uri)}: scheme {scheme!r} is not allowed (limits.schemes allows "
                f"{', '.join(sorted(self.schemes))})"
            )
        if self.prefixes and not any(_is_under(uri, prefix) for prefix in self.prefixes):
            raise SchemeNotAllowedError(f"{display(uri)}: not under any of limits.prefixes")
        if ".." in _DOT.sub(".", uri).split("/"):
            raise SchemeNotAllowedError(f"{display(uri)}: a URI may not hold '..'")
        if scheme in ("http", "https"):
            check_public_host(uri)


def _is_under(uri: str, prefix: str) -> bool:
    path, folder = local_path(uri), local_path(prefix)
    if path is not None and folder is not None:  # resolve links: one in an allowed folder may lead out of it
        uri, prefix = os.path.realpath(path), os.path.realpath(folder)
    return uri == prefix or uri.startswith(prefix.rstrip("/") + "/")


def is_public(address: str) -> bool:
    """Return whether an IP address is on the public internet. An IPv4 address inside an IPv6 address must be public
    too."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inner = _inner(parsed) if isinstance(parsed, ipaddress.IPv6Address) else None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped and inner is not None:
        return inner.is_global
    return parsed.is_global and not parsed.is_multicast and (inner is None or inner.is_global)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to: mapped, 6to4, Teredo or NAT64; None if there is none."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def check_public_host(uri: str) -> None:
    """Raise SchemeNotAllowedError if a web host is, or resolves to, an address that is not public.

    Link-local addresses give out cloud credentials (169.254.169.254); private addresses are a company's own services.
    """
    host = urlsplit(uri).hostname or ""
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, None)]
        private = [address for address in found if not is_public(address)]
    except (OSError, ValueError) as error:
        raise SchemeNotAllowedError(f"{display(uri)}: host {host!r} cannot be resolved: {error}") from error
    if private:
        raise SchemeNotAllowedError(f"{display(uri)}: {host!r} is {private[0]}, not a public address")
