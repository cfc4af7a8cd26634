"""Where inputs may come from."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from lp_ray.errors import SchemeNotAllowedError
from lp_ray.storage.uri import display, local_path, scheme_of

DEFAULT_SCHEMES = frozenset({"file", "s3", "gs", "gcs", "az", "abfs", "memory"})
"""Object stores and local files. http(s) must be asked for: it lets a manifest reach into private networks."""

_DOT = re.compile(r"%2e", re.IGNORECASE)  # web servers may decode it before they resolve ".."


@dataclass(frozen=True)
class Policy:
    """Allow-list of input URIs: by scheme, and by prefix when any prefix is given."""

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
    if path is not None and folder is not None:  # a link inside an allowed folder may lead out of it
        uri, prefix = os.path.realpath(path), os.path.realpath(folder)
    return uri == prefix or uri.startswith(prefix.rstrip("/") + "/")


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, for IPv4 inside IPv6 too."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_global


def check_public_host(uri: str) -> None:
    """Raise SchemeNotAllowedError when a web host is, or resolves to, an address that is not public.

    Link-local addresses hold cloud credentials (169.254.169.254), private ones a company's own services.
    """
    host = urlsplit(uri).hostname or ""
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(host, None)]
        private = [address for address in found if not is_public(address)]
    except (OSError, ValueError) as error:
        raise SchemeNotAllowedError(f"{display(uri)}: host {host!r} cannot be resolved: {error}") from error
    if private:
        raise SchemeNotAllowedError(f"{display(uri)}: {host!r} is {private[0]}, not a public address")
