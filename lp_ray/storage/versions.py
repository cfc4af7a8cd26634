"""Which bytes a URI holds right now, without reading them: the store's own version tag."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from lp_ray.storage.access import FileInfo, file_info, list_files
from lp_ray.storage.uri import local_path, scheme_of

_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "created")


@dataclass(frozen=True)
class Version:
    """A file's identity: `tag` changes when its bytes do."""

    tag: str
    size: int


def versions(uris: Iterable[str]) -> dict[str, Version]:
    """Return the version of each normalised URI that exists.

    Local files cost a stat each; those in stores one listing per folder, never one request per
    file; those on the web one request each.
    """
    found: dict[str, Version] = {}
    folders: dict[str, set[str]] = {}
    for uri in uris:
        path = local_path(uri)
        if scheme_of(uri) in ("http", "https"):  # the web has no listings
            info = file_info(uri)
            if info is not None:
                found[uri] = _version(info)
        elif path is None:
            folders.setdefault(uri.rpartition("/")[0], set()).add(uri)
        elif os.path.isfile(path):  # noqa: PTH113 - paths are literal text here
            status = os.stat(path)  # noqa: PTH116
            found[uri] = Version(f"{status.st_mtime_ns}-{status.st_size}", status.st_size)
    for folder, wanted in folders.items():
        found |= {info.uri: _version(info) for info in list_files(folder) if info.uri in wanted}
    return found


def _version(info: FileInfo) -> Version:
    tag = next((str(info.details[name]) for name in _TAGS if info.details.get(name)), "")
    return Version(f"{tag.strip(chr(34))}-{info.size}", info.size)
