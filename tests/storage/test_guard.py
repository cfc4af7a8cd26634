"""What storage trouble becomes: a clear stop, an input's own failure, or another try."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import s3fs

from lp_ray import storage
from lp_ray.errors import RefusedError
from lp_ray.storage import guard
from tests.s3_server import S3Server

CALLS: list[Callable[[str], object]] = [
    storage.exists,
    storage.read_bytes,
    lambda uri: storage.put_bytes(uri, b"1"),
    lambda uri: storage.list_files(uri.rpartition("/")[0]),
    lambda uri: storage.versions([uri]),
    lambda uri: storage.local_copy(uri).__enter__(),
    lambda uri: storage.put_if_absent(uri, Path(__file__)),
]
NAMES = ["exists", "read", "put", "list", "versions", "local_copy", "put_if_absent"]


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_a_wrong_secret_stops_the_job_and_is_not_shown(
    call: Callable[[str], object], s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-and-secret")
    with pytest.raises(RefusedError) as caught:
        call(f"s3://{s3_bucket}/folder/x")
    assert "wrong-and-secret" not in str(caught.value)


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_a_missing_bucket_stops_the_job_with_the_reason(call: Callable[[str], object], s3_bucket: str) -> None:
    with pytest.raises(RefusedError, match="bucket does not exist"):
        call(f"s3://{s3_bucket}-gone/folder/x")


def test_a_store_that_may_only_be_read_is_read_and_refuses_writes(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"s3://{s3_bucket}/x"
    storage.put_bytes(uri, b"1")
    for name, value in s3_server.reader_env.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    assert storage.read_bytes(uri) == b"1"
    with pytest.raises(RefusedError, match="Denied"):
        storage.put_bytes(uri, b"2")
    with pytest.raises(RefusedError, match="Denied"):
        storage.delete(uri)


def test_a_full_disk_stops_the_job() -> None:
    @guard.guarded
    def write() -> None:
        with Path("/dev/full").open("wb", buffering=0) as device:
            device.write(b"1")

    with pytest.raises(RefusedError, match="No space left"):
        write()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_stops_the_job(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RefusedError, match="Permission"):
        storage.put_bytes(storage.normalise(str(tmp_path / "x")), b"1")


def test_passing_trouble_is_tried_again_with_growing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    left = [OSError("SlowDown"), ConnectionResetError("Connection reset by peer")]

    @guard.guarded
    def read() -> str:
        if left:
            raise left.pop()
        return "read"

    assert read() == "read"
    assert waits == [guard.FIRST_WAIT_S, 2 * guard.FIRST_WAIT_S]


def test_trouble_that_stays_stops_the_job_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda s: None)

    @guard.guarded
    def read() -> None:
        raise OSError("timed out: https://user:pw@host/x?X-Amz-Signature=abcdef&y=1")

    with pytest.raises(RefusedError, match=f"{guard.ATTEMPTS} attempts") as caught:
        read()
    assert "pw" not in str(caught.value)
    assert "abcdef" not in str(caught.value)
