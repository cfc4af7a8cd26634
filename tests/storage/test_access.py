"""Reading, writing and listing, on local files and on S3 alike."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lp_ray import storage
from lp_ray.base.errors import InputTooLargeError, MissingInputError
from lp_ray.base.limits import Limits

from .conftest import NAMES


def test_any_name_is_taken_as_typed(filled: Callable[[str], str]) -> None:
    for name in NAMES:
        uri = filled(name)
        assert storage.exists(uri)
        assert storage.read_bytes(uri) == name.encode()
        assert storage.glob(uri) == [uri]
        with storage.local_copy(uri) as path:
            assert path.read_bytes() == name.encode()
        with storage.open_read(uri) as file:
            file.seek(1)
            assert file.read() == name.encode()[1:]


def test_a_folder_lists_all_its_files_once(filled: Callable[[str], str], root: str) -> None:
    listed = storage.list_files(root)
    assert sorted(info.uri for info in listed) == sorted(filled(name) for name in NAMES)
    assert {info.uri: info.size for info in listed} == {filled(n): len(n.encode()) for n in NAMES}
    assert storage.glob(root) == sorted(filled(name) for name in NAMES)
    assert storage.list_files(storage.join(root, "nothing")) == []


def test_a_glob_takes_folders_with_special_characters_literally(root: str) -> None:
    for folder in ("in [2024]", "in 2"):
        storage.put_bytes(storage.join(root, folder, "a.jpg"), b"a")
    if root.startswith("file:"):
        assert storage.glob(storage.join(root, "in [2024]", "*.jpg")) == [storage.join(root, "in [2024]", "a.jpg")]
    assert storage.glob(storage.join(root, "**", "*.jpg")) == sorted(
        storage.join(root, folder, "a.jpg") for folder in ("in [2024]", "in 2")
    )


def test_a_put_replaces_what_was_there(root: str, tmp_path: Path) -> None:
    uri = storage.join(root, "deep", "er", "x")
    storage.put_bytes(uri, b"one")
    storage.put_bytes(uri, b"")
    assert storage.read_bytes(uri) == b""
    source = tmp_path / "source"
    source.write_bytes(b"two" * 1_000_000)
    storage.put_file(source, uri)
    assert storage.read_bytes(uri) == source.read_bytes()
    assert [info.uri for info in storage.list_files(storage.join(root, "deep", "er"))] == [uri]


def test_of_eight_writers_at_once_exactly_one_puts_a_new_file(root: str, tmp_path: Path) -> None:
    uri = storage.join(root, "template.npz")
    wins: list[int] = []

    def put(i: int) -> None:
        source = tmp_path / f"source{i}"
        source.write_bytes(bytes([i]) * 100_000)
        if storage.put_if_absent(uri, source):
            wins.append(i)

    threads = [threading.Thread(target=put, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert storage.read_bytes(uri) == bytes(wins) * 100_000
    assert [info.uri for info in storage.list_files(root)] == [uri]


def test_removing_is_idempotent_and_stays_inside_the_prefix(filled: Callable[[str], str], root: str) -> None:
    storage.put_bytes(root + "-neighbour/kept", b"1")
    storage.put_bytes(storage.join(root, "under", "a"), b"1")
    for _ in range(2):
        storage.delete(filled(NAMES[0]), filled(NAMES[1]))
        storage.delete_prefix(storage.join(root, "under"))
    assert sorted(storage.glob(root)) == sorted(filled(name) for name in NAMES[2:])
    storage.delete_prefix(root)
    assert storage.glob(root) == []
    assert storage.exists(root + "-neighbour/kept")


@pytest.mark.parametrize("uri", ["file:///home", "s3://bucket", "s3://bucket/"])
def test_a_bucket_or_a_folder_of_the_root_is_never_removed(uri: str) -> None:
    with pytest.raises(ValueError, match="refusing"):
        storage.delete_prefix(uri)


def test_limits_are_checked_before_a_byte_is_read(root: str) -> None:
    uri = storage.join(root, "big")
    storage.put_bytes(uri, b"x" * 1001)
    with pytest.raises(InputTooLargeError, match="1001"), storage.local_copy(uri, Limits(max_bytes=1000)):
        pass
    with pytest.raises(InputTooLargeError, match="1001"):
        storage.read_bytes(uri, max_bytes=1000)


def test_what_is_not_there(root: str) -> None:
    storage.put_bytes(storage.join(root, "folder", "x"), b"1")
    assert not storage.exists(storage.join(root, "nope"))
    assert not storage.exists(storage.join(root, "folder"))
    with pytest.raises(MissingInputError), storage.local_copy(storage.join(root, "nope")):
        pass
    with pytest.raises(MissingInputError), storage.local_copy(storage.join(root, "folder")):
        pass
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(storage.join(root, "nope"))


def test_a_local_copy_is_the_file_itself_and_a_remote_one_is_gone_afterwards(root: str) -> None:
    uri = storage.join(root, "x")
    storage.put_bytes(uri, b"1")
    with storage.local_copy(uri) as path:
        assert path.read_bytes() == b"1"
    assert path.exists() == root.startswith("file:")


def test_a_version_changes_with_the_bytes_and_only_then(root: str) -> None:
    uris = [storage.join(root, f"{i}.jpg") for i in range(5)]
    for uri in uris:
        storage.put_bytes(uri, b"one")
    before = storage.versions([*uris, storage.join(root, "nope")])
    assert set(before) == set(uris)
    assert all(version.size == 3 for version in before.values())
    storage.put_bytes(uris[2], b"two")
    after = storage.versions(uris)
    assert [uri for uri in uris if after[uri] != before[uri]] == [uris[2]]


def test_a_client_made_before_a_fork_is_not_used_after_it(root: str) -> None:
    """Ray and multiprocessing fork: the child must make its own connections."""
    uri = storage.join(root, "x")
    storage.put_bytes(uri, b"1")
    child = os.fork()
    if child == 0:
        os._exit(0 if storage.read_bytes(uri) == b"1" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
