"""What a user may type for a place, and the one form the package uses."""

from __future__ import annotations

import os
import re

from lp_ray.errors import SchemeNotAllowedError

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_SECRET = re.compile(r"(?<=://)[^/@\s]+@")


def normalise(uri: str) -> str:
    """Return the absolute form of a path or URI.

    Local paths are taken literally (no globs, no variables; a leading `~` is the home folder) and become
    `file:///absolute/path` without percent-encoding. Raises SchemeNotAllowedError for a chained URI
    (`zip://…::…`), whose outer part would hide where the bytes come from.
    """
    match = _SCHEME.match(uri)
    if match is None:
        return "file://" + os.path.abspath(os.path.expanduser(uri))  # noqa: PTH100, PTH111 - literal text, no Path
    if "::" in uri:
        raise SchemeNotAllowedError(f"{display(uri)}: chained URIs are not allowed; give the place itself")
    scheme = match[1].lower()
    rest = uri[match.end() :]
    if scheme in ("file", "local"):
        return "file://" + os.path.abspath("/" + rest)  # noqa: PTH100
    return f"{scheme}://{rest}"


def scheme_of(uri: str) -> str:
    """Return the scheme of a normalised URI."""
    return uri.partition("://")[0]


def local_path(uri: str) -> str | None:
    """Return the path of a normalised local URI, or None when it is remote."""
    return uri.removeprefix("file://") if uri.startswith("file://") else None


def join(uri: str, *names: str) -> str:
    """Append path segments to a normalised URI."""
    return "/".join([uri.rstrip("/"), *names])


def display(uri: str) -> str:
    """Return a URI fit for messages: without credentials."""
    return _SECRET.sub("***@", uri)
