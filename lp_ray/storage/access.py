"""Reading, listing and writing by URI. Writes are never half visible."""

from __future__ import annotations

import glob as globbing
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

from fsspec.core import url_to_fs

from lp_ray.errors import InputTooLargeError, MissingInputError
from lp_ray.limits import Limits
from lp_ray.storage.guard import check_bucket, guarded
from lp_ray.storage.uri import display, local_path, normalise, scheme_of
from lp_ray.storage.web import public_client


@dataclass(frozen=True)
class FileInfo:
    """One file of a listing; `uri` is normalised, `size` in bytes."""

    uri: str
    size: int
    details: dict[str, Any]


def filesystem(uri: str) -> tuple[Any, str]:
    """Return fsspec's file system for a normalised URI and the path inside it."""
    path = local_path(uri)
    if path is not None:
        return url_to_fs("file:///")[0], path  # the path itself is never parsed: it may hold anything
    options = {"get_client": public_client} if uri.startswith(("http://", "https://")) else {}
    return cast(tuple[Any, str], url_to_fs(uri, use_listings_cache=False, **options))


@guarded
def exists(uri: str) -> bool:
    """Whether a file is there. Raises RefusedError where the store will not say."""
    fs, path = filesystem(uri)
    return _is_file(fs, path)


def _is_file(fs: Any, path: str) -> bool:
    # Not fsspec's isfile: it takes every error, a wrong secret or a missing bucket too, for "not there".
    try:
        return bool(fs.info(path)["type"] == "file")
    except (FileNotFoundError, NotADirectoryError) as error:
        check_bucket(error)
        return False


@guarded
def is_folder(uri: str) -> bool:
    """Whether a typed path or URI is a folder (or a prefix with something under it)."""
    fs, path = filesystem(normalise(uri))
    return bool(fs.isdir(path))


@guarded
def list_files(prefix: str) -> list[FileInfo]:
    """Return the files right under a normalised prefix, in no particular order; none if it does not exist."""
    fs, path = filesystem(prefix)
    try:
        entries = fs.ls(path, detail=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        check_bucket(error)
        return []
    scheme = scheme_of(prefix)
    return [
        FileInfo(f"{scheme}://{_rooted(entry['name'], scheme)}", int(entry["size"] or 0), entry)
        for entry in entries
        if entry["type"] == "file"
    ]


@guarded
def file_info(uri: str) -> FileInfo | None:
    """Ask for one file, or None if it is not there."""
    fs, path = filesystem(uri)
    try:
        info = fs.info(path)
    except FileNotFoundError as error:
        check_bucket(error)
        return None
    return FileInfo(uri, int(info["size"] or 0), info)


@guarded
def glob(pattern: str) -> list[str]:
    """Return the files that a typed path, folder or glob means, normalised and sorted.

    A path that exists as typed is taken literally, whatever special characters it holds; a folder means every
    file under it.
    """
    uri = normalise(pattern)
    fs, path = filesystem(uri)
    scheme = scheme_of(uri)
    if _is_file(fs, path):
        return [uri]
    if fs.isdir(path):
        # Some stores keep emptied folders, and `find` then gives the folder itself.
        found = [name for name, info in fs.find(path, detail=True).items() if info["type"] == "file"]
    elif local_path(uri) is not None:
        found = _glob_local(path)
    else:
        found = [p for p in fs.glob(path) if fs.isfile(p)]
    return sorted(f"{scheme}://{_rooted(name, scheme)}" for name in found)


def _glob_local(pattern: str) -> list[str]:
    """Expand a pattern whose leading folders, as far as they exist as typed, are taken literally."""
    parts = Path(pattern).parts
    n = next(i for i in range(len(parts) - 1, 0, -1) if Path(*parts[:i]).is_dir())
    base = Path(*parts[:n])
    # Path.glob would match hidden files too.
    names = globbing.glob(str(Path(*parts[n:])), root_dir=base, recursive=True)  # noqa: PTH207
    return [str(base / name) for name in names if (base / name).is_file()]


@guarded
def read_bytes(uri: str, max_bytes: int | None = None) -> bytes:
    """Return a whole file. Raises FileNotFoundError, or InputTooLargeError over `max_bytes`."""
    fs, path = filesystem(uri)
    if max_bytes is not None and (size := fs.size(path)) is not None and size > max_bytes:
        raise InputTooLargeError(f"{display(uri)}: {size} bytes, at most {max_bytes} are allowed here")
    return bytes(fs.cat_file(path))


@guarded
def open_read(uri: str) -> BinaryIO:
    """Open a file for reading by ranges. Raises FileNotFoundError."""
    fs, path = filesystem(uri)
    return cast(BinaryIO, fs.open(path, "rb"))


@guarded
def put_bytes(uri: str, data: bytes) -> None:
    """Write a file whole or not at all, replacing what was there."""
    fs, path = filesystem(uri)
    if local_path(uri) is None:
        fs.pipe_file(path, data)
        return
    with _beside(Path(path)) as temporary:
        temporary.write_bytes(data)
        temporary.replace(path)


@guarded
def put_file(source: Path, uri: str) -> None:
    """Copy a local file to `uri`, whole or not at all, replacing what was there."""
    fs, path = filesystem(uri)
    if local_path(uri) is None:
        fs.put_file(str(source), path)
        return
    with _beside(Path(path)) as temporary:
        shutil.copyfile(source, temporary)
        temporary.replace(path)


@guarded
def put_if_absent(uri: str, source: Path) -> bool:
    """Copy a local file to `uri` unless something is there; return whether this call did it."""
    fs, path = filesystem(uri)
    if local_path(uri) is None:
        return _put_new_object(fs, path, source)
    with _beside(Path(path)) as temporary:
        shutil.copyfile(source, temporary)
        try:
            os.link(temporary, path)  # fails if the name is taken, unlike rename
        except FileExistsError:
            return False
    return True


def _put_new_object(fs: Any, path: str, source: Path) -> bool:
    if _is_file(fs, path):
        return False
    try:
        fs.put_file(str(source), path, mode="create")
    except FileExistsError:
        return False
    except PermissionError:
        raise
    except OSError:
        if _is_file(fs, path):  # s3fs reports a refused If-None-Match as a plain OSError (EINVAL)
            return False
        raise
    return True


@guarded
def delete(*uris: str) -> None:
    """Remove files; those that are not there are no error."""
    for uri in uris:
        fs, path = filesystem(uri)
        with suppress(FileNotFoundError):
            fs.rm_file(path)


@guarded
def delete_prefix(uri: str) -> None:
    """Remove everything under a normalised URI; nothing there is no error."""
    if not uri.partition("://")[2].strip("/").partition("/")[2]:
        raise ValueError(f"{display(uri)}: refusing to remove a whole bucket or a folder of the root")
    fs, path = filesystem(uri)
    with suppress(FileNotFoundError):
        fs.rm(path, recursive=True)


@guarded
def fetch(uri: str, path: Path, limits: Limits) -> None:
    """Download a file to a local path, whole. Raises MissingInputError, InputTooLargeError."""
    fs, remote = filesystem(uri)
    check_size(fs, remote, uri, limits)
    if local_path(uri) is not None:
        shutil.copyfile(remote, path)
    else:
        fs.get_file(remote, str(path))


@contextmanager
def local_copy(uri: str, limits: Limits | None = None) -> Iterator[Path]:
    """Give a local path to a typed or normalised URI's bytes for the length of the block.

    A local file is given as it is; a remote one is downloaded and removed afterwards. The path of a copy says
    nothing of the URI. Raises MissingInputError, InputTooLargeError.
    """
    limits = limits or Limits()
    uri = normalise(uri)
    path = local_path(uri)
    if path is not None:
        check_size(filesystem(uri)[0], path, uri, limits)
        yield Path(path)
        return
    with TemporaryDirectory(prefix="lp_ray-input-") as folder:
        copy = Path(folder) / "input"
        fetch(uri, copy, limits)
        yield copy


@guarded
def check_size(fs: Any, path: str, uri: str, limits: Limits) -> None:
    """Raise MissingInputError or InputTooLargeError before a byte is read."""
    try:
        info = fs.info(path)
    except FileNotFoundError as error:
        check_bucket(error)
        raise MissingInputError(f"nothing at {display(uri)}") from error
    if info["type"] != "file":
        raise MissingInputError(f"{display(uri)} is not a file")
    if (info["size"] or 0) > limits.max_bytes:
        raise InputTooLargeError(f"{display(uri)}: {info['size']} bytes, limits.max_bytes is {limits.max_bytes}")


def _rooted(name: str, scheme: str) -> str:
    return name if scheme != "file" or name.startswith("/") else "/" + name


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a temporary name in the target's own folder, so that renaming it there is atomic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
