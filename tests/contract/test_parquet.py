"""Parquet that ends the process of whoever reads it: a process that nobody misses reads it first."""

from __future__ import annotations

import io
import os
import signal
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.contract.manifest import read_manifest
from lp_ray.contract.parquet import Rehearsal
from lp_ray.isolation.child import Kind
from lp_ray.isolation.wire import Message

BYTE_ARRAY, INT64 = b"\x15\x0c", b"\x15\x04"  # field 1 of a schema's element, in Thrift's compact form


def forged() -> bytes:
    """A column of text that the schema calls INT64: pyarrow 26 lets an exception through that ends the process."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"uri": ["a.jpg"]}), sink, compression="none", store_schema=False)
    data = sink.getvalue()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    return data[:footer] + data[footer:].replace(BYTE_ARRAY, INT64, 1)


@pytest.mark.parametrize("name", ["s.parquet", "folder/part-1.parquet"])
def test_a_manifest_that_ends_its_reader_is_refused(tmp_path: Path, name: str) -> None:
    """Arrow aborts; the driver says which file it is and lives, for one file and for a part among sound ones."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(forged())
    if path.parent != tmp_path:
        pq.write_table(pa.table({"uri": ["a.jpg"]}), path.parent / "part-0.parquet")
    with pytest.raises(RefusedError, match=rf"{path.name}: .* died of SIGABRT; the file is damaged"):
        read_manifest(str(path if path.parent == tmp_path else path.parent), "source")
    pq.write_table(pa.table({"uri": ["b.jpg"]}), path)
    assert len(read_manifest(str(path), "source")) == 1


def stand_still(request: Message) -> None:
    """A reader that never answers."""
    time.sleep(600)


def be_killed(request: Message) -> None:
    """A reader that is ended from outside."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_reader_without_an_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lp_ray.contract.parquet._TIMEOUT_S", 2.0)
    monkeypatch.setattr("lp_ray.contract.parquet.Kind", lambda _, **rest: Kind(f"{__name__}:stand_still", **rest))
    with Rehearsal() as rehearsal, pytest.raises(RefusedError, match="m: not read after 2 s"):
        rehearsal.read(tmp_path / "s.parquet", "m")


def test_a_reader_that_is_killed_from_outside_blames_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lp_ray.contract.parquet.Kind", lambda _, **rest: Kind(f"{__name__}:be_killed", **rest))
    with (
        Rehearsal() as rehearsal,
        pytest.raises(RefusedError, match=r"m: .* was killed .*; try again, with more memory"),
    ):
        rehearsal.read(tmp_path / "s.parquet", "m")
