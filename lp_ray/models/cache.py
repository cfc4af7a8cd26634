"""Local copies of stored model files: fetched once per machine, for all its processes, and loaded by path."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from filelock import FileLock

from lp_ray.base.errors import RefusedError
from lp_ray.models.store import WeightStore, file_sha256

CACHE_VARIABLE = "LP_RAY_CACHE"
DEFAULT_CACHE = "~/.cache/lp_ray"


def cache_folder() -> Path:
    """Return the folder of this machine's copies: $LP_RAY_CACHE, or ~/.cache/lp_ray."""
    return Path(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE).expanduser()


def cached_file(store: WeightStore, name: str) -> Path:
    """Return a local path to a stored file. It is fetched once per machine, even if many processes ask for it.

    Copies are in <cache>/models/<sha256>/. Their hash is checked every time; an altered copy is fetched again. Raises
    WeightsError if the store lacks the file or its content does not match the lock, RefusedError if the cache cannot be
    written.
    """
    sha256 = store.entry(name).sha256
    path = cache_folder() / "models" / sha256 / PurePosixPath(name).name
    if _holds(path, sha256):
        return path
    with _alone(path.parent):
        if not _holds(path, sha256):
            _keep(path, store.read(name))
    return path


def _holds(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return file_sha256(file) == sha256
    except OSError:
        return False


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process of this machine in at a time. If a process is killed, the system releases its lock."""
    lock = FileLock(folder / "lock")
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _keep(path: Path, data: bytes) -> None:
    """Write a file completely or not at all."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    with _writing(path):
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RefusedError(
            f"cannot keep a model in {place}: {error.strerror}; set {CACHE_VARIABLE} to a folder of this machine "
            "with room that can be written"
        ) from error
