"""Explain why a file cannot be read or a place cannot be written to, and what to change."""

from __future__ import annotations

import errno
import os
import stat
from difflib import get_close_matches
from itertools import islice
from tempfile import TemporaryFile

from lp_ray.base.errors import StorageError, StorageReadOnlyError
from lp_ray.storage.filesystems import filesystem
from lp_ray.storage.guard import guarded
from lp_ray.storage.uri import display, local_path, normalise, of_path, shown

_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_NAMES = 10_000
"""How many names of a folder are compared with the name of a missing file."""


def absence(typed: str, closely: bool = True) -> str:
    """Say why no file can be read at a typed path or URI (nothing is there, or a folder), and where it was looked for.

    With `closely`, also look at the neighbours: this costs a request to a remote store, or a local listing.
    """
    uri = normalise(typed)
    path = local_path(uri)
    if path is None:
        if closely and _is_remote_folder(uri):
            return f"{display(typed)} is a folder, not a file: name a file in it"
        return f"nothing at {_quoted(display(typed))}"
    name = _quoted(typed)
    where = "" if path in typed else f" (looked at {shown(uri)})"
    kind = _kind(path)
    if kind == "a folder":
        return f"{name} is a folder, not a file{where}: name a file in it"
    if kind:
        return f"{name} is {kind}, not a file{where}"
    return f"nothing at {name}{where}{_reason(path, closely)}"


@guarded
def _is_remote_folder(uri: str) -> bool:
    fs, path = filesystem(uri)
    return not uri.startswith(("http://", "https://")) and bool(fs.isdir(path))


def _quoted(typed: str) -> str:
    """Return a typed name in which white space at its ends and unprintable characters are visible."""
    return typed if typed == typed.strip() and typed.isprintable() else repr(typed)


def _kind(path: str) -> str:
    """Return what exists at a path if it is not a file; empty if nothing exists or it is a file."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - literal text, no Path
    except (OSError, ValueError):
        return ""
    return "a folder" if stat.S_ISDIR(mode) else _KINDS.get(stat.S_IFMT(mode), "")


def _reason(path: str, closely: bool) -> str:
    """Return why nothing exists at a path, as far as the folders and names around it tell."""
    if os.path.islink(path):  # noqa: PTH114
        return f": it is a link to {os.readlink(path)}, where nothing is"  # noqa: PTH115
    there = _nearest_that_exists(path)
    folder, name = os.path.split(path)
    if not os.path.isdir(there):  # noqa: PTH112
        return f": {shown(of_path(there))} is a file, not a folder"
    if there != (folder or "/"):
        return f": there is no folder {shown(of_path(folder))}"
    return _near_name(folder, name) if closely else ""


def _near_name(folder: str, name: str) -> str:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, _NAMES)]
    except OSError as error:
        return f": {error.strerror}"
    same = [other for other in names if other.strip().casefold() == name.strip().casefold()]
    stems = {os.path.splitext(other)[0]: other for other in reversed(names)}  # noqa: PTH122
    close = [stems[stem] for stem in get_close_matches(os.path.splitext(name)[0], stems, 1)]  # noqa: PTH122
    return f" (did you mean {(same or close)[0]!r}?)" if same or close else ""


def _nearest_that_exists(path: str) -> str:
    while not os.path.lexists(path):
        path = os.path.dirname(path)  # noqa: PTH120
    return path


def check_folder(uri: str) -> None:
    """Raise StorageError unless files can be written below a normalised folder. The folder need not exist yet.

    Leaves no files behind. Remote stores are not checked: they report an error at the first write.
    """
    path = local_path(uri)
    if path is None:
        return
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise StorageError("a name in it is too long for this file system: choose a shorter one") from error
    there = _nearest_that_exists(path)
    if not os.path.isdir(there):  # noqa: PTH112
        what = "a file" if os.path.exists(there) else "a link to nothing"  # noqa: PTH110
        if there == path:
            raise StorageError(f"{shown(uri)} is {what}, not a folder: choose another place")
        raise StorageError(f"{shown(of_path(there))} is {what}, not a folder: choose a place that is not below it")
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise StorageReadOnlyError(
            f"{shown(of_path(there))} takes no new files ({error.strerror}): get the right to write there, or choose "
            "another place"
        ) from error


def check_file(uri: str) -> None:
    """Raise StorageError unless a file can be written at a normalised URI, whether it exists or not; see
    `check_folder`."""
    path = local_path(uri)
    if path is None:
        return
    if kind := _kind(path):
        raise StorageError(f"{shown(uri)} is {kind}, not a file: name a file" + " in it" * (kind == "a folder"))
    _check_lengths(path)
    check_folder(of_path(os.path.dirname(path)))  # noqa: PTH120


def _check_lengths(path: str) -> None:
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise StorageError("a name in it is too long for this file system: choose a shorter one") from error
