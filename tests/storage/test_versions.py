"""What version tags cost: requests are counted where s3fs makes them, against the real server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import s3fs

from lp_ray import storage
from lp_ray.storage.listing import PAGE

N_FILES, FOLDERS = 10_000, ("portraits", "clips/2026", "deep/er/still")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Counts S3 requests by their method."""
    counted: Counter[str] = Counter()
    original = s3fs.S3FileSystem._call_s3

    async def call(self: s3fs.S3FileSystem, method: str, *args: Any, **kwargs: Any) -> Any:
        counted[method] += 1
        return await original(self, method, *args, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)
    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", s3fs.core.sync_wrapper(call))
    s3fs.S3FileSystem.clear_instance_cache()
    yield counted
    s3fs.S3FileSystem.clear_instance_cache()


def test_ten_thousand_files_in_three_folders_cost_three_listings(s3_bucket: str, requests: Counter[str]) -> None:
    """One listing per folder, in pages of a thousand; neighbours with other names are not read over."""
    names = [f"{FOLDERS[i % 3]}/in-{i:05d}.jpg" for i in range(N_FILES)]
    others = [f"{FOLDERS[0]}/{kind}-{i}.jpg" for kind in ("earlier", "later") for i in range(20)]
    s3fs.S3FileSystem().pipe({f"{s3_bucket}/{name}": b"1" for name in (*names, *others)}, batch_size=32)
    uris = [f"s3://{s3_bucket}/{name}" for name in names]
    requests.clear()
    tags = storage.version_tags([*uris, f"s3://{s3_bucket}/{FOLDERS[0]}/in-99999.jpg"])
    pages = sum(-(-len(range(i, N_FILES, 3)) // PAGE) for i in range(3))
    assert requests == {"list_objects_v2": pages}
    assert all(tags[:-1]) and tags[-1] is None

    requests.clear()
    assert requests == {}

    one = storage.version_tags([uris[5]])
    assert one == [tags[5]]
    assert requests == {"list_objects_v2": 1}


def test_removing_a_thousand_staged_files_is_one_listing_and_a_request_a_page(
    s3_bucket: str, requests: Counter[str]
) -> None:
    root = f"s3://{s3_bucket}/out/staging"
    files = {f"{root}/pair-{i % 40}/{i:04d}.mp4" for i in range(1200)}
    s3fs.S3FileSystem().pipe({uri.removeprefix("s3://"): b"1" for uri in files}, batch_size=32)
    requests.clear()
    gone = storage.delete_prefixes(root, lambda name: name != "pair-7")
    assert gone == sorted(f"pair-{i}" for i in range(40) if i != 7)
    assert requests == {"list_objects_v2": 2, "delete_objects": 2}
    assert {info.uri for info in storage.list_files(root, deep=True)} == {u for u in files if "/pair-7/" in u}


def test_prefixes_are_removed_by_name_on_every_store(root: str) -> None:
    for name in ("a/1", "a/deep/2", "ab/1", "b/1", "loose"):
        storage.put_bytes(storage.join(root, "staging", name), b"1")
    assert storage.delete_prefixes(storage.join(root, "staging"), {"a", "b", "unknown"}.__contains__) == ["a", "b"]
    left = {info.uri for info in storage.list_files(root, deep=True)}
    assert left == {storage.join(root, "staging", name) for name in ("ab/1", "loose")}
    assert storage.delete_prefixes(storage.join(root, "nothing"), lambda name: True) == []


def test_a_page_knows_when_files_changed(root: str, tmp_path: Path) -> None:
    storage.put_bytes(storage.join(root, "x"), b"1")
    reference = tmp_path / "reference"
    reference.write_bytes(b"1")
    (info,) = storage.list_files(root)
    assert info.size == 1 and info.tag
    assert info.modified is not None and abs(info.modified - reference.stat().st_mtime) < 60


def test_many_small_files_are_read_in_the_order_asked_for(root: str) -> None:
    uris = [storage.join(root, str(i)) for i in range(20)]
    for uri in uris:
        storage.put_bytes(uri, uri.encode())
    assert storage.read_many(uris[::-1]) == [uri.encode() for uri in uris[::-1]]
    assert storage.read_many([]) == []
    with pytest.raises(FileNotFoundError):
        storage.read_many([*uris, storage.join(root, "nope")])
