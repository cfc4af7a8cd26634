"""Which bytes a URI holds right now, without reading them: the store's own version tag."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lp_ray.base.errors import InputChangedError
from lp_ray.storage.listing import FileInfo, file_info, pages
from lp_ray.storage.uri import display, local_path, scheme_of


@dataclass(frozen=True, slots=True)
class Version:
    """A file's identity: `tag` changes when its bytes do."""

    tag: str
    size: int


def versions(uris: Iterable[str]) -> dict[str, Version]:
    """Return the version of each normalised URI that exists.

    Local files cost a stat each; those in stores one listing per folder, never one request per file, read only
    where names begin as the wanted ones do and only until all are found; those on the web one request each.
    """
    return dict(_seen(uris))


def version_tags(uris: Sequence[str]) -> list[str | None]:
    """Return the version tag of each normalised URI, row by row; None for one that is not there.

    Costs what `versions` does.
    """
    found = {uri: version.tag for uri, version in _seen(list(dict.fromkeys(uris)))}
    return [found.get(uri) for uri in uris]


def _seen(uris: Iterable[str]) -> Iterator[tuple[str, Version]]:
    """Yield those of the URIs that exist, with their versions."""
    folders: dict[str, set[str]] = {}
    for uri in uris:
        path = local_path(uri)
        if scheme_of(uri) in ("http", "https"):  # the web has no listings
            info = file_info(uri)
            if info is not None:
                yield uri, _version(info)
        elif path is None:
            folders.setdefault(uri.rpartition("/")[0], set()).add(uri)
        elif os.path.isfile(path):  # noqa: PTH113 - paths are literal text here
            status = os.stat(path)  # noqa: PTH116
            yield uri, Version(f"{status.st_mtime_ns}-{status.st_size}", status.st_size)
    for folder, wanted in folders.items():
        for info in _listed(folder, wanted):
            yield info.uri, _version(info)


def check_version(uri: str, planned: str) -> None:
    """Raise InputChangedError unless a normalised URI still has the version tag it was `planned` with.

    A result is kept under a key that names the version: other bytes must not come out under it.
    """
    if not planned:
        return
    found = versions([uri]).get(uri)
    if found is None or found.tag != planned:
        now = "it is gone" if found is None else f"its version is {found.tag} now"
        raise InputChangedError(
            f"{display(uri)} has changed since the job was planned with version {planned}: {now}; run the job again "
            "(where the manifest states versions, after making the manifest again)"
        )


def _listed(folder: str, wanted: set[str]) -> Iterator[FileInfo]:
    """Yield the wanted files of one folder, from as little of its listing as will do."""
    names = [uri[len(folder) + 1 :] for uri in wanted]
    missing = len(wanted)
    for page in pages(folder, starting=os.path.commonprefix(names)):  # noqa: RUF071 - text, not a path
        for info in page:
            if info.uri in wanted:
                missing -= 1
                yield info
        if not missing:
            return


def _version(info: FileInfo) -> Version:
    return Version(f"{info.tag}-{info.size}", info.size)
