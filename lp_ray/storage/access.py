"""Read and write files by URI. Readers never see a file that is only partly written."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

from fsspec.callbacks import Callback

from lp_ray.base.errors import (
    InputTooLargeError,
    MissingInputError,
    StorageError,
    StorageFullError,
    StorageReadOnlyError,
)
from lp_ray.base.limits import Limits
from lp_ray.storage.absence import absence
from lp_ray.storage.filesystems import filesystem, is_file, is_no_name
from lp_ray.storage.guard import check_bucket, guarded, guarded_write
from lp_ray.storage.trouble import FULL_NUMBERS
from lp_ray.storage.uri import display, local_path, normalise
from lp_ray.storage.versions import check_version


@guarded
def exists(uri: str) -> bool:
    """Return whether a file exists. Raises RefusedError if the store refuses to answer."""
    return is_file(*filesystem(uri), uri)


@guarded
def is_folder(uri: str) -> bool:
    """Return whether a typed path or URI is a folder (or a prefix with something under it)."""
    fs, path = filesystem(normalise(uri))
    return bool(fs.isdir(path))


@guarded
def read_bytes(uri: str, max_bytes: int | None = None) -> bytes:
    """Return the content of a file. Raises FileNotFoundError, or InputTooLargeError above `max_bytes`."""
    fs, path = filesystem(uri)
    if max_bytes is not None and (size := fs.size(path)) is not None and size > max_bytes:
        raise InputTooLargeError(f"{display(uri)}: {size} bytes, at most {max_bytes} are allowed here")
    return bytes(fs.cat_file(path))


@guarded
def read_many(uris: Sequence[str]) -> list[bytes]:
    """Return the content of several small files of one store, in the order of `uris`; remote files are fetched in
    parallel."""
    if not uris:
        return []
    if local_path(uris[0]) is not None:
        return [read_bytes(uri) for uri in uris]
    fs, _ = filesystem(uris[0])
    paths = [filesystem(uri)[1] for uri in uris]
    read = fs.cat(paths)
    return [bytes(read[path]) for path in paths]


@guarded
def open_read(uri: str, ahead: int | None = None) -> BinaryIO:
    """Open a file for reading by ranges. Raises FileNotFoundError.

    `ahead` is the number of bytes that each range of a remote file is read beyond its end; None: what the store's
    client takes for a file that is read through, which is 50 MB on S3.
    """
    fs, path = filesystem(uri)
    return cast(BinaryIO, fs.open(path, "rb", block_size=ahead))


@guarded_write
def put_bytes(uri: str, data: bytes) -> None:
    """Write a file completely or not at all, replacing what was there."""
    fs, path = filesystem(uri)
    if local_path(uri) is None:
        fs.pipe_file(path, data)
        return
    with _beside(Path(path)) as temporary:
        temporary.write_bytes(data)
        temporary.replace(path)


@guarded_write
def put_file(source: Path, uri: str) -> None:
    """Copy a local file to `uri`, completely or not at all, replacing what was there."""
    fs, path = filesystem(uri)
    if local_path(uri) is None:
        fs.put_file(str(source), path)
        return
    with _beside(Path(path)) as temporary:
        shutil.copyfile(source, temporary)
        temporary.replace(path)


@guarded_write
def put_if_absent(uri: str, source: Path | bytes) -> bool:
    """Put a local file or bytes at `uri` unless a file exists there. Return whether this call wrote the file.

    False can also mean that an earlier attempt of the same call wrote the file and its reply was lost. A caller that
    must know this reads the file.
    """
    fs, path = filesystem(uri)
    if local_path(uri) is None:
        return _put_new_object(fs, path, uri, source)
    with _beside(Path(path)) as temporary:
        if isinstance(source, bytes):
            temporary.write_bytes(source)
        else:
            shutil.copyfile(source, temporary)
        try:
            os.link(temporary, path)  # fails if the name is taken, unlike rename
        except FileExistsError:
            return False
    return True


def _put_new_object(fs: Any, path: str, uri: str, source: Path | bytes) -> bool:
    if is_file(fs, path, uri):
        return False
    try:
        if isinstance(source, bytes):
            fs.pipe_file(path, source, mode="create")
        else:
            fs.put_file(str(source), path, mode="create")
    except FileExistsError:
        return False
    except PermissionError:
        raise
    except OSError as error:
        if _was_refused(error) or is_file(fs, path, uri):
            return False
        raise
    return True


def _was_refused(error: OSError) -> bool:
    """Return whether a store refused If-None-Match, which s3fs reports as a plain OSError (EINVAL).

    Checking for the file instead is not enough: it may have been deleted in the meantime.
    """
    response: dict[str, Any] = getattr(error.__cause__, "response", {})
    return bool(response.get("Error", {}).get("Code") == "PreconditionFailed")


@guarded
def fetch(uri: str, path: Path, limits: Limits, typed: str = "") -> None:
    """Download a whole file to a local path. `typed` is its name in error messages.

    Raises MissingInputError, InputTooLargeError.
    """
    fs, remote = filesystem(uri)
    check_size(fs, remote, uri, limits, typed)
    try:
        if local_path(uri) is not None:
            shutil.copyfile(remote, path)
        else:
            fs.get_file(remote, str(path), callback=_Bound(uri, limits))
    except OSError as error:
        if error.errno in FULL_NUMBERS:  # the local disk is full, not the store
            raise StorageFullError(f"{path.parent}: no room for a copy of {display(uri)} ({error.strerror})") from error
        raise


class _Bound(Callback):  # type: ignore[misc] # fsspec is untyped
    """Stops a download at `max_bytes`, because a web server need not state the size in advance."""

    def __init__(self, uri: str, limits: Limits) -> None:
        super().__init__()
        self._uri, self._limits, self._got = uri, limits, 0

    def relative_update(self, inc: int = 1) -> None:
        self._got += inc
        if self._got > self._limits.max_bytes:
            raise InputTooLargeError(
                f"{display(self._uri)}: more than limits.max_bytes ({self._limits.max_bytes} bytes)"
            )


@contextmanager
def local_copy(uri: str, limits: Limits | None = None, version: str = "") -> Iterator[Path]:
    """Yield a local path with the content of a typed or normalised URI.

    For a local file, this is its own path; a remote file is downloaded, and the copy is removed at the end. The path of
    a copy does not show the URI. Raises MissingInputError, InputTooLargeError, and InputChangedError unless the file
    still has the given `version`.
    """
    limits = limits or Limits()
    typed, uri = uri, normalise(uri)
    path = local_path(uri)
    if path is not None:
        check_size(filesystem(uri)[0], path, uri, limits, typed)
        check_version(uri, version)
        yield Path(path)
        return
    with TemporaryDirectory(prefix="lp_ray-input-") as folder:
        copy = Path(folder) / "input"
        fetch(uri, copy, limits, typed)
        check_version(uri, version)  # checked after the download, to notice a change during it
        yield copy


@guarded
def check_size(fs: Any, path: str, uri: str, limits: Limits, typed: str = "") -> None:
    """Raise MissingInputError or InputTooLargeError before a byte is read. `typed` is the file's name in error
    messages."""
    try:
        info = fs.info(path)
    except OSError as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError) and not is_no_name(error):
            raise
        check_bucket(error, uri)
        raise MissingInputError(absence(typed or uri)) from error
    if info["type"] != "file":
        raise MissingInputError(absence(typed or uri))
    if (info["size"] or 0) > limits.max_bytes:
        raise InputTooLargeError(f"{display(uri)}: {info['size']} bytes, limits.max_bytes is {limits.max_bytes}")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a temporary name in the target's own folder, so that renaming it to the target is atomic."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StorageError(f"{path} cannot be written: a part of its path is a file, not a folder") from error
    except FileNotFoundError as error:  # under /proc
        raise StorageReadOnlyError(
            f"{path} cannot be written: its folder cannot be made; choose another place"
        ) from error
    temporary = path.parent / f".{uuid.uuid4().hex}.tmp"  # uri.TEMPORARY
    try:
        yield temporary
    except IsADirectoryError as error:
        raise StorageError(f"{path} is a folder, not a file: name a file in it") from error
    except FileNotFoundError as error:
        if error.filename == str(temporary) and path.parent.exists():
            raise StorageReadOnlyError(f"{path} cannot be written: {path.parent} takes no new files") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
