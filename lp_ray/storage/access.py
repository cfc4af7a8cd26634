"""Reading and writing by URI. Writes are never half visible."""

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
    """Whether a file is there. Raises RefusedError where the store will not say."""
    return is_file(*filesystem(uri), uri)


@guarded
def is_folder(uri: str) -> bool:
    """Whether a typed path or URI is a folder (or a prefix with something under it)."""
    fs, path = filesystem(normalise(uri))
    return bool(fs.isdir(path))


@guarded
def read_bytes(uri: str, max_bytes: int | None = None) -> bytes:
    """Return a whole file. Raises FileNotFoundError, or InputTooLargeError over `max_bytes`."""
    fs, path = filesystem(uri)
    if max_bytes is not None and (size := fs.size(path)) is not None and size > max_bytes:
        raise InputTooLargeError(f"{display(uri)}: {size} bytes, at most {max_bytes} are allowed here")
    return bytes(fs.cat_file(path))


@guarded
def read_many(uris: Sequence[str]) -> list[bytes]:
    """Return several small files of one store, in the order asked for; remote ones are fetched side by side."""
    if not uris:
        return []
    if local_path(uris[0]) is not None:
        return [read_bytes(uri) for uri in uris]
    fs, _ = filesystem(uris[0])
    paths = [filesystem(uri)[1] for uri in uris]
    read = fs.cat(paths)
    return [bytes(read[path]) for path in paths]


@guarded
def open_read(uri: str) -> BinaryIO:
    """Open a file for reading by ranges. Raises FileNotFoundError."""
    fs, path = filesystem(uri)
    return cast(BinaryIO, fs.open(path, "rb"))


@guarded_write
def put_bytes(uri: str, data: bytes) -> None:
    """Write a file whole or not at all, replacing what was there."""
    fs, path = filesystem(uri)
    if local_path(uri) is None:
        fs.pipe_file(path, data)
        return
    with _beside(Path(path)) as temporary:
        temporary.write_bytes(data)
        temporary.replace(path)


@guarded_write
def put_file(source: Path, uri: str) -> None:
    """Copy a local file to `uri`, whole or not at all, replacing what was there."""
    fs, path = filesystem(uri)
    if local_path(uri) is None:
        fs.put_file(str(source), path)
        return
    with _beside(Path(path)) as temporary:
        shutil.copyfile(source, temporary)
        temporary.replace(path)


@guarded_write
def put_if_absent(uri: str, source: Path | bytes) -> bool:
    """Put a local file or bytes at `uri` unless something is there; return whether this call did it.

    False can also mean that an earlier attempt of this very call did it and its answer was lost: who must know
    reads what is there.
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
    """Say whether a store refused If-None-Match, which s3fs reports as a plain OSError (EINVAL).

    What was there may be gone by the time one looks.
    """
    response: dict[str, Any] = getattr(error.__cause__, "response", {})
    return bool(response.get("Error", {}).get("Code") == "PreconditionFailed")


@guarded
def fetch(uri: str, path: Path, limits: Limits, typed: str = "") -> None:
    """Download a file to a local path, whole; `typed` is what messages call it.

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
        if error.errno in FULL_NUMBERS:  # it is not the store that is full
            raise StorageFullError(f"{path.parent}: no room for a copy of {display(uri)} ({error.strerror})") from error
        raise


class _Bound(Callback):  # type: ignore[misc] # fsspec is untyped
    """Stops a download over `max_bytes`: a web server need not say how much it is going to send."""

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
    """Give a local path to a typed or normalised URI's bytes for the length of the block.

    A local file is given as it is; a remote one is downloaded and removed afterwards. The path of a copy says
    nothing of the URI. Raises MissingInputError, InputTooLargeError, and InputChangedError unless it has the `version`
    given.
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
        check_version(uri, version)  # afterwards: so it did not change on the way either
        yield copy


@guarded
def check_size(fs: Any, path: str, uri: str, limits: Limits, typed: str = "") -> None:
    """Raise MissingInputError or InputTooLargeError before a byte is read; `typed` is what messages call it."""
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
    """Give a temporary name in the target's own folder, so that renaming it there is atomic."""
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
