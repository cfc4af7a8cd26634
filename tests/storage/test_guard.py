"""What storage errors become: a clear stop of the job, an input's own failure, or a retry."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import s3fs

from lp_ray import storage
from lp_ray.base.errors import (
    BucketMissingError,
    StorageAuthError,
    StorageError,
    StorageFullError,
    StorageReadOnlyError,
    StorageUnreachableError,
)
from lp_ray.storage import guard
from tests.s3_server import S3Server

from .flaky import FlakyGateway

REPOSITORY = Path(__file__).parents[2]
READS: list[Callable[[str], object]] = [
    storage.exists,
    storage.read_bytes,
    lambda uri: storage.list_files(uri.rpartition("/")[0]),
    lambda uri: storage.versions([uri]),
    lambda uri: storage.local_copy(uri).__enter__(),
]
WRITES: list[Callable[[str], object]] = [
    lambda uri: storage.put_bytes(uri, b"1"),
    lambda uri: storage.put_if_absent(uri + "-new", Path(__file__)),
    lambda uri: storage.put_if_absent(uri + "-new", b"1"),
    storage.delete,
    lambda uri: storage.delete(uri, uri + "-other"),
    lambda uri: storage.delete_prefix(uri.rpartition("/")[0]),
    lambda uri: storage.delete_prefixes(uri.rpartition("/")[0].rpartition("/")[0], {"folder"}.__contains__),
]
CALLS = [*READS, *WRITES[:3]]
NAMES = ["exists", "read", "list", "versions", "local_copy", "put", "put_file_if_absent", "put_bytes_if_absent"]


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_a_wrong_secret_stops_the_job_and_is_not_shown(
    call: Callable[[str], object], s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-and-secret")
    with pytest.raises(StorageAuthError, match=rf"s3://{s3_bucket}/folder.*AWS_SECRET_ACCESS_KEY") as caught:
        call(f"s3://{s3_bucket}/folder/x")
    assert "wrong-and-secret" not in str(caught.value)


@pytest.mark.parametrize("call", CALLS, ids=NAMES)
def test_a_missing_bucket_stops_the_job_with_the_reason(call: Callable[[str], object], s3_bucket: str) -> None:
    with pytest.raises(BucketMissingError, match=r"no such bucket.*create it or correct the URI"):
        call(f"s3://{s3_bucket}-gone/folder/x")


def test_a_bucket_that_vanishes_meanwhile_stops_the_job(s3_bucket: str) -> None:
    uri = f"s3://{s3_bucket}/folder/x"
    storage.put_bytes(uri, b"1")
    storage.delete(uri)
    s3fs.S3FileSystem().rmdir(s3_bucket)
    for call in (storage.read_bytes, lambda uri: storage.put_bytes(uri, b"2"), lambda uri: storage.versions([uri])):
        with pytest.raises(BucketMissingError):
            call(uri)


@pytest.mark.parametrize("call", WRITES)
def test_a_store_that_may_only_be_read_is_read_and_refuses_writes(
    call: Callable[[str], object], s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"s3://{s3_bucket}/out/folder/x"
    storage.put_bytes(uri, b"1")
    for name, value in s3_server.reader_env.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    assert storage.read_bytes(uri) == b"1"
    with pytest.raises(StorageReadOnlyError, match=rf"s3://{s3_bucket}.*the right to write"):
        call(uri)
    assert storage.read_bytes(uri) == b"1"


ON_TINY_DISK = """
import sys
from pathlib import Path
from lp_ray import storage
from lp_ray.base.errors import StorageError
folder, source = Path(sys.argv[1]), Path(sys.argv[2])
storage.put_bytes(storage.normalise(str(folder / "small")), b"1")
{prepare}
for call in (
    lambda uri: storage.put_bytes(uri, bytes(1 << 20)),
    lambda uri: storage.put_file(source, uri),
    lambda uri: storage.put_if_absent(uri, source),
    lambda uri: storage.fetch(storage.normalise(str(source)), folder / "fetched", storage.access.Limits()),
):
    try:
        call(storage.normalise(str(folder / "big")))
    except StorageError as error:
        print(type(error).__name__, error)
print(sorted(path.name for path in folder.iterdir()))
"""


def _in_namespace(folder: Path, prepare: str) -> list[str]:
    """Run the script on a tmpfs of 256 KB at `folder` that exists for this process only."""
    source = folder.parent / "source"
    source.write_bytes(bytes(1 << 20))
    folder.mkdir()
    script = ON_TINY_DISK.format(prepare=prepare)
    command = 'mount -t tmpfs -o size=256k tmpfs "$1" && exec "$2" -c "$3" "$1" "$4"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, "sh", str(folder), sys.executable, script, str(source)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no namespaces here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_full_disk_stops_the_job_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    *stops, left = _in_namespace(tmp_path / "disk", "")
    assert len(stops) == 4
    for stop in stops:
        assert stop.startswith("StorageFullError") and str(tmp_path / "disk") in stop
    assert all("make room" in stop for stop in stops[:3])
    assert left == "['fetched', 'small']"  # fetch writes where its caller said, and the caller's folder goes with it


def test_a_disk_mounted_read_only_stops_the_job(tmp_path: Path) -> None:
    remount = 'import subprocess; subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)'
    *stops, left = _in_namespace(tmp_path / "disk", remount)
    assert len(stops) == 4
    assert all(stop.startswith("StorageReadOnlyError") and "right to write" in stop for stop in stops)
    assert left == "['small']"


def test_a_quota_on_file_sizes_is_a_full_disk(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from lp_ray import storage; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "storage.put_bytes(storage.normalise(sys.argv[1]), bytes(2000))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert "StorageFullError" in done.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_stops_the_job_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """EIO of a local disk; the same number from a store's client that does not know a code is not taken for it."""
    monkeypatch.setattr("time.sleep", lambda s: pytest.fail("tried again"))

    @guard.guarded
    def read(uri: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(StorageError, match=r"file:///x.*check the disk"):
        read("file:///x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_stops_the_job(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageReadOnlyError, match="Permission"):
        storage.put_bytes(storage.normalise(str(tmp_path / "x")), b"1")


@pytest.fixture
def gateway(s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyGateway]:
    """A gateway that the environment leads to, in front of the bucket's server."""
    flaky = FlakyGateway(s3_server.endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL", flaky.endpoint)
    monkeypatch.setattr(guard, "RETRIES", guard.Retries(attempts=3, first_wait_s=0.01))
    s3fs.S3FileSystem.clear_instance_cache()
    yield flaky
    flaky.close()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("bad", ["503 SlowDown", "500 InternalError", "429 TooManyRequests", "reset", "cut"])
def test_passing_trouble_is_tried_again_until_it_is_over(bad: str, gateway: FlakyGateway, s3_bucket: str) -> None:
    uri = f"s3://{s3_bucket}/folder/x"
    for call in (CALLS[6], lambda uri: storage.put_bytes(uri, b"1" * 1000), storage.exists, READS[2]):
        gateway.misbehave(bad, 2)
        call(uri)
        assert gateway.n_bad <= 0
    gateway.misbehave(bad, 2)
    assert storage.read_bytes(uri) == b"1" * 1000


def test_trouble_that_stays_stops_the_job_after_a_bounded_number_of_requests(
    gateway: FlakyGateway, s3_bucket: str
) -> None:
    gateway.misbehave("503 SlowDown", 1000)
    with pytest.raises(StorageUnreachableError, match=rf"s3://{s3_bucket}/x.*after all attempts.*AWS_ENDPOINT_URL"):
        storage.put_bytes(f"s3://{s3_bucket}/x", b"1")
    assert len(gateway.requests) <= guard.RETRIES.attempts**2


def test_nobody_at_the_endpoint_stops_the_job(gateway: FlakyGateway, s3_bucket: str) -> None:
    gateway.close()
    with pytest.raises(StorageUnreachableError, match="network and the endpoint"):
        storage.read_bytes(f"s3://{s3_bucket}/x")


@pytest.mark.parametrize("bad", ["400 ExpiredToken", "403 InvalidAccessKeyId", "403 RequestTimeTooSkewed"])
def test_credentials_that_expire_meanwhile_stop_the_job_at_once(
    bad: str, gateway: FlakyGateway, s3_bucket: str
) -> None:
    gateway.misbehave(bad, 1000)
    with pytest.raises(StorageAuthError, match="AWS_SESSION_TOKEN"):
        storage.put_bytes(f"s3://{s3_bucket}/x", b"1")
    assert len(gateway.requests) == 1


def test_a_store_without_room_is_full(gateway: FlakyGateway, s3_bucket: str) -> None:
    gateway.misbehave("507 XMinioStorageFull", 1000)
    with pytest.raises(StorageFullError):
        storage.put_bytes(f"s3://{s3_bucket}/x", b"1")


def test_waits_double_up_to_a_bound_and_are_spread_by_chance() -> None:
    waits = [list(guard.Retries(attempts=6, first_wait_s=1.0, longest_wait_s=4.0).waits()) for _ in range(50)]
    for low, high, column in zip((0.5, 1, 2, 2, 2), (1, 2, 4, 4, 4), zip(*waits, strict=True), strict=True):
        assert all(low <= wait <= high for wait in column)
        assert len(set(column)) > 40


def test_no_secret_is_in_a_message_or_in_the_traceback_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda s: None)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-and-secret")

    @guard.guarded
    def read(uri: str) -> None:
        raise TimeoutError(f"https://user:pw@host/x?X-Amz-Signature=abcdef&y=1 {os.environ['AWS_SESSION_TOKEN']}")

    with pytest.raises(StorageUnreachableError) as caught:
        read("s3://bucket/x")
    assert not any(secret in str(caught.value) for secret in ("pw", "abcdef", "token-and-secret"))
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
