"""Tell which content a URI has now, without reading it, by the store's own version tag."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lp_ray.base.errors import InputChangedError
from lp_ray.storage.listing import FileInfo, file_info, pages
from lp_ray.storage.uri import display, local_path, scheme_of


@dataclass(frozen=True, slots=True)
class Version:
    """The identity of a file's content: `tag` changes when the content does."""

    tag: str
    size: int


def versions(uris: Iterable[str]) -> dict[str, Version]:
    """Return the version of each normalised URI that exists.

    Costs one stat per local file and one request per file on the web. For files in stores, it lists each folder once
    instead of asking per file: only names that share the wanted files' common prefix, and only until all are found.
    """
    return dict(_seen(uris))


def version_tags(uris: Sequence[str]) -> list[str | None]:
    """Return the version tag of each normalised URI, in their order; None for a file that does not exist.

    Costs the same as `versions`.
    """
    found = {uri: version.tag for uri, version in _seen(list(dict.fromkeys(uris)))}
    return [found.get(uri) for uri in uris]


def _seen(uris: Iterable[str]) -> Iterator[tuple[str, Version]]:
    """Yield the URIs that exist, with their versions."""
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
    """Raise InputChangedError unless a normalised URI still has the version tag `planned`; an empty `planned` passes.

    A result's key contains the version of its input, so content of another version must not produce that result.
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
    """Yield the wanted files of one folder, reading as little of its listing as possible."""
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
