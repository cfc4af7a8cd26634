"""Find the files that a person means by a folder or a glob: all visible files, including those in linked folders."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from lp_ray.storage.filesystems import filesystem, is_file
from lp_ray.storage.guard import guarded
from lp_ray.storage.listing import pages
from lp_ray.storage.uri import local_path, normalise, of_absolute

SYSTEM_FOLDERS = frozenset(
    {"@eaDir", "__MACOSX", "$RECYCLE.BIN", "#recycle", "System Volume Information", "lost+found"}
)
"""Folders that a file system, an archiver or a network disk keeps for its own use. They count as hidden."""

_MAGIC = frozenset("*?[")

Parts = tuple[str, ...]

_ANY: Parts = ("**", "*")


@dataclass
class Found:
    """The result of a search: normalised URIs, sorted.

    `files` holds no hidden files and no files in hidden folders. `marked` are the folders that hold the marker; `files`
    holds none of the files in them, except if the searched folder itself is marked.
    """

    root: str
    files: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)


def glob(pattern: str) -> list[str]:
    """Return the files that a typed path, folder or glob stands for, normalised and sorted; see `search`."""
    return search(pattern).files


@guarded
def search(pattern: str, marker: str = "") -> Found:
    """Find the files that a typed path, folder or glob stands for.

    A path that exists as typed is taken literally, whatever special characters it has. A folder stands for every file
    under it; `**` stands for any number of folders. Names that begin with a dot are found only if they are typed. Links
    to folders are followed: each real folder is searched once, under its own name if that lies in the searched folder.
    A link to the searched folder or to a folder above it is not followed. Folders with an entry called `marker` are
    left out, except the searched folder itself.
    """
    uri = normalise(pattern)
    fs, path = filesystem(uri)
    if is_file(fs, path, uri):
        return Found(uri.rpartition("/")[0], [uri])
    if fs.isdir(path):
        root, segments = uri if uri.endswith("///") else uri.rstrip("/"), _ANY
    else:
        root, segments = _split(uri)
    if not segments or not _MAGIC.intersection("".join(segments)):
        return Found(root)
    found = Found(root)
    is_local = local_path(root) is not None
    for parts, file in _Walk(found, segments, marker).files() if is_local else _listed(found, segments, marker):
        if _matches(parts, segments):
            found.files.append(file)
    found.files.sort()
    found.marked.sort()
    return found


def _split(uri: str) -> tuple[str, Parts]:
    """Split a pattern into the folder in which it begins and the segments to match below that folder.

    Leading folders that exist as typed are taken literally.
    """
    path = local_path(uri)
    if path is None:
        scheme, _, place = uri.partition("://")
        names = place.strip("/").split("/")
        depth = next((n for n, name in enumerate(names) if _MAGIC.intersection(name)), len(names))
        return f"{scheme}://{'/'.join(names[:depth])}", _below(names[depth:])
    names = path.strip("/").split("/")
    depth = len(names)
    while not os.path.isdir("/" + "/".join(names[:depth])):  # noqa: PTH112 - literal text, no Path
        depth -= 1
    return of_absolute("/" + "/".join(names[:depth])), _below(names[depth:])


def _below(names: Sequence[str]) -> Parts:
    return (*names, "*") if names and names[-1] == "**" else tuple(names)


def _matches(parts: Parts, segments: Parts) -> bool:
    """Return whether a file's path below the root matches the pattern."""
    if not segments or not parts:
        return not segments and not parts
    if segments[0] == "**":
        return any(_matches(parts[n:], segments[1:]) for n in range(len(parts)))
    return fnmatchcase(parts[0], segments[0]) and _matches(parts[1:], segments[1:])


def _may_hold(folder: Parts, segments: Parts) -> bool:
    """Return whether a folder below the root may contain files that match the pattern."""
    for part, segment in zip(folder, segments, strict=False):
        if segment == "**":
            return True
        if not fnmatchcase(part, segment):
            return False
    return len(folder) < len(segments)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM_FOLDERS


class _Walk:
    """Walks a local folder: linked folders after all others, each real folder once."""

    def __init__(self, found: Found, segments: Parts, marker: str) -> None:
        self._found, self._segments, self._marker = found, segments, marker
        self._root = (local_path(found.root) or "").rstrip("/")
        self._top = os.path.realpath(self._root or "/")
        self._seen: set[str] = set()
        self._folders: list[tuple[Parts, str]] = [((), self._top)]
        self._links = deque[Parts]()

    def files(self) -> Iterator[tuple[Parts, str]]:
        """Yield the files that are not hidden, each as its path below the root and its URI."""
        while self._folders or self._links:
            parts, real = self._folders.pop() if self._folders else self._follow(self._links.popleft())
            if real not in self._seen:
                self._seen.add(real)
                yield from self._look(parts, real)

    def _follow(self, link: Parts) -> tuple[Parts, str]:
        real = os.path.realpath("/".join((self._root, *link)))
        is_above = (self._top + "/").startswith(real.rstrip("/") + "/")
        return link, self._top if is_above else real

    def _look(self, parts: Parts, real: str) -> Iterator[tuple[Parts, str]]:
        here = "/".join((self._root, *parts))
        entries = _entries(here)
        if self._marker and any(entry.name == self._marker for entry in entries):
            self._found.marked.append(of_absolute(here))
            if parts:
                return
        for entry in entries:
            below, kind = (*parts, entry.name), _kind(entry)
            if kind == "file":
                yield below, of_absolute(f"{here}/{entry.name}")
            elif kind == "link" and _may_hold(below, self._segments):
                self._links.append(below)
            elif kind == "folder" and _may_hold(below, self._segments):
                self._folders.append((below, f"{real.rstrip('/')}/{entry.name}"))


def _kind(entry: os.DirEntry[str]) -> str:
    """Return what an entry is: "file", "folder", "link" (to a folder), or "" for anything else."""
    if _is_hidden(entry.name):
        return ""
    try:
        if entry.is_dir():
            return "link" if entry.is_symlink() else "folder"
        return "file" if entry.is_file() else ""
    except FileNotFoundError:
        return ""
    except OSError as error:
        if error.errno == errno.ELOOP:
            return ""
        raise


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return the entries of a folder, sorted by name; none if the folder does not exist."""
    try:
        with os.scandir(folder or "/") as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _listed(found: Found, segments: Parts, marker: str) -> Iterator[tuple[Parts, str]]:
    """Yield the files under a prefix of a remote store that are not hidden."""
    literal = next((n for n, character in enumerate(segments[0]) if character in _MAGIC), len(segments[0]))
    files: list[tuple[Parts, str]] = []
    marked: set[Parts] = set()
    for page in pages(found.root, segments[0][:literal], deep=len(segments) > 1):
        for info in page:
            parts = tuple(info.uri.removeprefix(found.root + "/").split("/"))
            if marker in parts[:-1]:
                marked.add(parts[: parts.index(marker)])
            if not any(map(_is_hidden, parts)):
                files.append((parts, info.uri))
    found.marked = ["/".join((found.root, *parts)) for parts in marked]
    for parts, uri in files:
        if not any(parts[:n] in marked for n in range(1, len(parts))):
            yield parts, uri
