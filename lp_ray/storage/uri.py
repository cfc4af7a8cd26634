"""Turn the paths and URIs that users type into the one normalised form that the package uses."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote_to_bytes

from lp_ray.base.errors import SchemeNotAllowedError

SECRETS = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY", "AZURE_STORAGE_CONNECTION_STRING"),
    *("AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET", "HF_TOKEN", "RAY_AUTH_TOKEN"),
)
"""Environment variables whose values must never be shown."""

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_CHAINED = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*(?:::[A-Za-z][A-Za-z0-9+.-]*)*::[A-Za-z][A-Za-z0-9+.-]*://")
_FILE = re.compile(r"^file:/+(?!/)", re.IGNORECASE)
_ESCAPE = re.compile(r"%(?=[0-9A-Fa-f]{2})")
_BYTE = re.compile("[\udc80-\udcff]")
"""A byte of a local name that is not UTF-8, as Python holds it (PEP 383)."""
_USER = re.compile(r"(?<=://)[^/@\s]+@")
TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")
"""Name of a local file that is being written, before it is renamed to its final name."""
# Query parameters of signed addresses (AWS SigV2 and SigV4, Google, Azure SAS) and common names for tokens.
_SIGNED = re.compile(
    r"(?i)([?&](?:X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId|sig|token"
    r"|access_token|api_?key|key|password)=)[^&\s\"']+"
)


def normalise(uri: str) -> str:
    """Return the absolute form of a path or URI.

    Local paths are taken literally (no globs, no variables; a leading `~` is the home folder). `file:` URIs are
    percent-decoded (RFC 8089; `?` and `#` are parts of a name). Both become `file:///absolute/path`. There, only two
    things are escaped: a percent sign that would read as an escape, and bytes that are not UTF-8. So normalising a
    second time changes nothing. URIs of other schemes are taken as typed.

    Raises SchemeNotAllowedError for a chained URI (`zip://…::…`), because its outer part would hide where the bytes
    come from; for credentials in a URI; and for a NUL character.
    """
    match = _SCHEME.match(uri)
    scheme = match[1].lower() if match else ""
    rest = uri[match.end() :] if match else uri
    if "\0" in uri:
        raise SchemeNotAllowedError(f"{uri!r}: a URI may not hold a NUL character")
    if _CHAINED.match(uri) or (scheme not in ("", "file", "local") and "::" in rest):
        raise SchemeNotAllowedError(f"{display(uri)}: chained URIs are not allowed; give the place itself")
    if scheme in ("file", "local"):
        return of_path(_decoded("/" + rest.removeprefix("localhost/")))
    if short := _FILE.match(uri):  # file:/a.jpg, as Java writes it
        return of_path(_decoded("/" + uri[short.end() :]))
    if not scheme:
        return of_path(os.path.expanduser(uri))  # noqa: PTH111 - literal text, no Path
    if "@" in rest.partition("/")[0]:
        raise SchemeNotAllowedError(f"{display(uri)}: credentials do not belong in a URI; set them in the environment")
    return f"{scheme}://{rest}"


def of_path(path: str) -> str:
    """Return the normalised URI of a literal local path."""
    return of_absolute("/" + os.path.abspath(path).lstrip("/"))  # noqa: PTH100 - literal text, no Path


def of_absolute(path: str) -> str:
    """Return the normalised URI of a local path that is absolute and has no `.` or `..` parts."""
    if "%" in path:
        path = _ESCAPE.sub("%25", path)
    return "file://" + (path if path.isascii() else _BYTE.sub(lambda m: f"%{ord(m[0]) - 0xDC00:02X}", path))


def _decoded(path: str) -> str:
    if "%" not in path:
        return path
    try:
        plain = os.fsdecode(unquote_to_bytes(os.fsencode(path)))
    except UnicodeEncodeError as error:
        raise SchemeNotAllowedError(f"{path!r} is not text: {error.reason}") from error
    if "\0" in plain:
        raise SchemeNotAllowedError(f"{path!r}: a URI may not hold a NUL character")
    return plain


def scheme_of(uri: str) -> str:
    """Return the scheme of a normalised URI."""
    return uri.partition("://")[0]


def local_path(uri: str) -> str | None:
    """Return the path of a normalised local URI, or None if it is remote."""
    return _decoded(uri.removeprefix("file://")) if uri.startswith("file://") else None


def is_text(path: str) -> bool:
    """Return whether a local path is valid UTF-8. A file system does not require this."""
    return not _BYTE.search(path)


def join(uri: str, *names: str) -> str:
    """Append literal path segments to a normalised URI."""
    if uri.startswith("file://"):
        names = tuple(_ESCAPE.sub("%25", name) for name in names)
    return "/".join([uri.rstrip("/"), *names])


def name_of(uri: str) -> str:
    """Return the file name: the last segment of a normalised URI, decoded."""
    name = uri.rpartition("/")[2]
    return _decoded(name) if uri.startswith("file://") else name


def shown(uri: str) -> str:
    """Return a place as people type it: a local path, or a URI without credentials.

    White space at its ends and characters that cannot be printed (a line break, a byte that is not UTF-8) become
    visible.
    """
    place = display(local_path(uri) or uri)
    return place if place == place.strip() and place.isprintable() else repr(place)


def is_local(uri: str) -> bool:
    """Return whether a normalised URI is a path on this machine."""
    return local_path(uri) is not None


def redact(text: str) -> str:
    """Return a message without credentials: neither those in its URIs nor those in the environment."""
    for name in SECRETS:
        if secret := os.environ.get(name):
            text = text.replace(secret, "***")
    return display(text)


def display(uri: str) -> str:
    """Return a URI, or a message with URIs in it, without credentials."""
    return _SIGNED.sub(r"\1***", _USER.sub("***@", uri))
