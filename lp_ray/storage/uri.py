"""What a user may type for a place, and the one form the package uses."""

from __future__ import annotations

import os
import re

from lp_ray.base.errors import SchemeNotAllowedError

SECRETS = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY", "AZURE_STORAGE_CONNECTION_STRING"),
    *("AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_SECRET", "HF_TOKEN", "RAY_AUTH_TOKEN"),
)
"""Environment variables whose values are shown nowhere."""

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+)://")
_CHAINED = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*(?:::[A-Za-z][A-Za-z0-9+.-]*)*::[A-Za-z][A-Za-z0-9+.-]*://")
_USER = re.compile(r"(?<=://)[^/@\s]+@")
TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")
"""Name of a local file that is being written, until it takes the place of the one meant."""
# Query parameters of signed addresses (AWS SigV2 and SigV4, Google, Azure SAS) and common names for tokens.
_SIGNED = re.compile(
    r"(?i)([?&](?:X-(?:Amz|Goog)-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId|sig|token"
    r"|access_token|api_?key|key|password)=)[^&\s\"']+"
)


def normalise(uri: str) -> str:
    """Return the absolute form of a path or URI.

    Local paths are taken literally (no globs, no variables; a leading `~` is the home folder) and become
    `file:///absolute/path`; nothing is percent-encoded or decoded, here or in `file://` URIs, so that a form
    once made stays as it is. Raises SchemeNotAllowedError for a chained URI (`zip://…::…`), whose outer part
    would hide where the bytes come from, for credentials in a URI, and for a NUL character.
    """
    if "\0" in uri:
        raise SchemeNotAllowedError(f"{uri!r}: a URI may not hold a NUL character")
    match = _SCHEME.match(uri)
    scheme = match[1].lower() if match else ""
    rest = uri[match.end() :] if match else uri
    if _CHAINED.match(uri) or (scheme not in ("", "file", "local") and "::" in rest):
        raise SchemeNotAllowedError(f"{display(uri)}: chained URIs are not allowed; give the place itself")
    if scheme in ("file", "local"):
        return _local("/" + rest.removeprefix("localhost/"))
    if not scheme:
        return _local(os.path.expanduser(uri))  # noqa: PTH111 - literal text, no Path
    if "@" in rest.partition("/")[0]:
        raise SchemeNotAllowedError(f"{display(uri)}: credentials do not belong in a URI; set them in the environment")
    return f"{scheme}://{rest}"


def _local(path: str) -> str:
    return "file:///" + os.path.abspath(path).lstrip("/")  # noqa: PTH100 - literal text, no Path


def scheme_of(uri: str) -> str:
    """Return the scheme of a normalised URI."""
    return uri.partition("://")[0]


def local_path(uri: str) -> str | None:
    """Return the path of a normalised local URI, or None when it is remote."""
    return uri.removeprefix("file://") if uri.startswith("file://") else None


def join(uri: str, *names: str) -> str:
    """Append path segments to a normalised URI."""
    return "/".join([uri.rstrip("/"), *names])


def is_local(uri: str) -> bool:
    """Whether a normalised URI is a path of this machine."""
    return local_path(uri) is not None


def redact(text: str) -> str:
    """Return a message without credentials: those of URIs in it, and those of the environment."""
    for name in SECRETS:
        if secret := os.environ.get(name):
            text = text.replace(secret, "***")
    return display(text)


def display(uri: str) -> str:
    """Return a URI, or a message with URIs in it, without credentials."""
    return _SIGNED.sub(r"\1***", _USER.sub("***@", uri))
