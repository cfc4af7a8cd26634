"""Local copies of stored files: fetched once, and verified at every use."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from lp_ray import storage
from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.models.cache import CACHE_VARIABLE, cached_file
from lp_ray.models.store import LockEntry, WeightStore

DATA = b"a model" * 1_000_000
NAME = "shared/det_10g.onnx"
N_PROCESSES = 6


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This test's own cache, also for the processes it starts."""
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def store(place: str) -> WeightStore:
    """A store with one file."""
    sha256 = hashlib.sha256(DATA).hexdigest()
    entry = LockEntry(sha256, len(DATA), "x.onnx", sha256, len(DATA), "other", "none")
    WeightStore(place).write(iter([(NAME, DATA, entry)]))
    return WeightStore(place)


def test_a_file_is_fetched_once(store: WeightStore, cache: Path) -> None:
    """Also when the store has gone meanwhile: what lies here has the hash that the lock names."""
    first = cached_file(store, NAME)
    assert first.is_relative_to(cache) and first.name == "det_10g.onnx"
    assert first.read_bytes() == DATA
    before = first.stat()
    storage.delete(storage.join(store.uri, NAME))
    assert cached_file(store, NAME) == first
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def _inode(place: str, started: object) -> int:
    started.wait()  # type: ignore[attr-defined]
    return cached_file(WeightStore(place), NAME).stat().st_ino


def test_many_processes_at_once_fetch_it_once(store: WeightStore, place: str, cache: Path) -> None:
    """Every copy put in place is a separate file, so all processes saw the same one if it was fetched once."""
    with multiprocessing.get_context("spawn").Manager() as manager:
        barrier = manager.Barrier(N_PROCESSES)
        with ProcessPoolExecutor(N_PROCESSES, multiprocessing.get_context("spawn")) as pool:
            inodes = {*pool.map(_inode, [place] * N_PROCESSES, [barrier] * N_PROCESSES)}
    assert len(inodes) == 1
    assert [file.name for file in cache.rglob("*.tmp")] == []


@pytest.mark.parametrize(
    "spoil",
    [lambda data: bytes([data[0] ^ 1]) + data[1:], lambda data: data[:-1], lambda data: b""],
    ids=["flipped", "cut", "empty"],
)
def test_an_altered_copy_is_fetched_again(store: WeightStore, cache: Path, spoil: Callable[[bytes], bytes]) -> None:
    path = cached_file(store, NAME)
    path.write_bytes(spoil(DATA))
    assert cached_file(store, NAME) == path
    assert path.read_bytes() == DATA


def test_an_altered_store_leaves_nothing_here(store: WeightStore, cache: Path) -> None:
    storage.put_bytes(storage.join(store.uri, NAME), bytes([DATA[0] ^ 1]) + DATA[1:])
    with pytest.raises(WeightsError, match=f"{NAME} is not what came in"):
        cached_file(store, NAME)
    assert [file for file in cache.rglob("*") if file.is_file() and file.stat().st_size] == []


def test_a_file_the_store_lacks_is_named_with_the_command(store: WeightStore, cache: Path) -> None:
    with pytest.raises(WeightsError, match=r"has no shared/landmark\.onnx: add it with lp-ray weights"):
        cached_file(store, "shared/landmark.onnx")
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_named_with_the_setting(
    store: WeightStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(RefusedError, match=f"cannot keep a model in {tmp_path}/file/.*set {CACHE_VARIABLE} to"):
        cached_file(store, NAME)
