"""Which inputs the page can play where they lie: clips that a browser knows, in the same store as the page."""

from __future__ import annotations

import posixpath

from lp_ray import storage
from lp_ray.contract.media_kinds import suffix_of

PLAYED = frozenset({".mp4", ".m4v", ".mov", ".webm", ".ogv"})
"""Suffixes of clips that browsers play. Whether one plays the codec inside shows only there: else the page shows the
strip."""


def beside(page: str, uri: str | None) -> str | None:
    """Return where a clip lies as seen from the page's folder, a path; None if a browser cannot reach or play it.

    `page` and `uri` are normalised. From disk a page reaches files of the disk, from a bucket those of the bucket;
    nothing else, because its policy lets it load from no other place.
    """
    if not uri or suffix_of(uri) not in PLAYED or ("?" in uri and not storage.is_local(uri)):
        return None
    here, there = _place(page), _place(uri)
    if here is None or there is None or here[0] != there[0]:
        return None
    return posixpath.relpath(there[1], here[1])


def _place(uri: str) -> tuple[str, str] | None:
    """Return the store (and bucket) of a URI, and the path in it; None for a name that no address can hold."""
    path = storage.local_path(uri)
    if path is not None:
        return ("file", path) if storage.is_text(path) else None
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", f"/{key}"
