"""A store returns exactly what was written to it, or says what is wrong; on a local disk and on S3."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lp_ray import storage
from lp_ray.base.errors import WeightsError
from lp_ray.models.store import LockEntry, WeightStore

DATA = b"weights" * 1000
NAME = "human/F.safetensors"


@pytest.fixture
def filled(place: str) -> WeightStore:
    store = WeightStore(place)
    entry = LockEntry(_sha256(DATA), len(DATA), "x.pth", _sha256(b"x"), 1, "unpinned", "none")
    store.write(iter([(NAME, DATA, entry)]))
    return WeightStore(place)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1, *data[1:]])


def longer(data: bytes) -> bytes:
    return data + b"x"


def test_what_came_in_comes_out(filled: WeightStore) -> None:
    assert filled.read(NAME) == DATA
    assert list(filled.verify()) == [(NAME, "")]


@pytest.mark.parametrize("spoil", [flip, longer])
def test_an_altered_file_is_caught_when_read_and_when_verified(
    filled: WeightStore, spoil: Callable[[bytes], bytes]
) -> None:
    storage.put_bytes(storage.join(filled.uri, NAME), spoil(DATA))
    with pytest.raises(WeightsError, match=f"{NAME} .*lp-ray weights import"):
        filled.read(NAME)
    [(name, problem)] = filled.verify()
    assert name == NAME and problem.startswith("altered")


def test_a_lost_file_is_caught(filled: WeightStore) -> None:
    storage.delete(storage.join(filled.uri, NAME))
    with pytest.raises(WeightsError, match=f"{NAME} is gone"):
        filled.read(NAME)
    assert list(filled.verify()) == [(NAME, "missing")]


def test_adding_keeps_what_is_there(filled: WeightStore, place: str) -> None:
    entry = LockEntry(_sha256(b"more"), 4, "y.onnx", _sha256(b"more"), 4, "unpinned", "none")
    filled.write(iter([("shared/y.onnx", b"more", entry)]))
    assert WeightStore(place).entries.keys() == {NAME, "shared/y.onnx"}


def test_no_store_says_which_command_makes_one(place: str) -> None:
    with pytest.raises(WeightsError, match=r"no weight store at .*lp-ray weights pull store="):
        WeightStore(place).read(NAME)


@pytest.mark.parametrize(
    ("lock", "says"),
    [
        ("not json", "cannot be read"),
        ('{"format_version": 2, "files": {}}', "format 2, this version reads 1"),
        ('{"format_version": 1, "files": {"../../etc/passwd": {}}}', "cannot be read"),
        ("[]", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        (" " * (1 << 20) + "{}", "is no lock"),
    ],
)
def test_a_lock_that_is_none_is_refused(tmp_path: Path, lock: str, says: str) -> None:
    (tmp_path / "lock.json").write_text(lock)
    with pytest.raises(WeightsError, match=says):
        WeightStore(str(tmp_path)).read(NAME)


def test_names_cannot_lead_out_of_the_store(tmp_path: Path) -> None:
    entry = LockEntry(_sha256(b""), 0, "x", _sha256(b""), 0, "other", "none")
    lock = {"format_version": 1, "files": {"../x.onnx": entry.__dict__}}
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    with pytest.raises(WeightsError, match="strange name"):
        WeightStore(str(tmp_path)).read("../x.onnx")


def test_hashes_are_hashes(tmp_path: Path) -> None:
    """They become file names: see `lp_ray.models.cache`."""
    entry = LockEntry("../../x", 0, "x", _sha256(b""), 0, "other", "none")
    (tmp_path / "lock.json").write_text(json.dumps({"format_version": 1, "files": {"x.onnx": entry.__dict__}}))
    with pytest.raises(WeightsError, match=r"strange hash or size of x\.onnx"):
        WeightStore(str(tmp_path)).entry("x.onnx")


@pytest.mark.parametrize(
    ("field", "value"),
    [("size", "5"), ("size", -1), ("size", None), ("origin", "mine"), ("licence", []), ("sha256", 7), ("source", None)],
)
def test_entries_are_of_their_kinds(tmp_path: Path, field: str, value: object) -> None:
    """Planning and loading go by them: a size is a number, an origin one of three words."""
    entry = LockEntry(_sha256(b""), 0, "x", _sha256(b""), 0, "other", "none").__dict__ | {field: value}
    (tmp_path / "lock.json").write_text(json.dumps({"format_version": 1, "files": {"x.onnx": entry}}))
    with pytest.raises(WeightsError, match=r"strange .*of x\.onnx"):
        WeightStore(str(tmp_path)).entry("x.onnx")
