"""Messages about files that cannot be read and places that cannot be written to: each says what to change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lp_ray import storage
from lp_ray.base.errors import MissingInputError, StorageError, StorageReadOnlyError
from lp_ray.storage.filesystems import filesystem


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file, a folder, a pipe and a link to nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.jpg").symlink_to("/gone.jpg")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("nope", "nothing at nope (looked at {}/nope)"),
        ("{}/nope", "nothing at {}/nope"),
        ("file://{}/a%20b.jpg", "nothing at file://{}/a%20b.jpg (looked at {}/a b.jpg)"),
        ("Photo.JPG", "nothing at Photo.JPG (looked at {}/Photo.JPG) (did you mean 'photo.jpg'?)"),
        ("photo.jpg ", "nothing at 'photo.jpg ' (looked at '{}/photo.jpg ') (did you mean 'photo.jpg'?)"),
        ("photo.jpg\n", "nothing at 'photo.jpg\\n' (looked at '{}/photo.jpg\\n') (did you mean 'photo.jpg'?)"),
        ("folder", "folder is a folder, not a file (looked at {}/folder): name a file in it"),
        ("photo.jpg/x", "nothing at photo.jpg/x (looked at {}/photo.jpg/x): {}/photo.jpg is a file, not a folder"),
        ("no/such/a.jpg", "nothing at no/such/a.jpg (looked at {}/no/such/a.jpg): there is no folder {}/no/such"),
        ("link.jpg", "nothing at link.jpg (looked at {}/link.jpg): it is a link to /gone.jpg, where nothing is"),
        ("pipe", "pipe is a pipe, not a file (looked at {}/pipe)"),
        ("/dev/null", "/dev/null is a device, not a file"),
    ],
)
def test_what_is_missing_says_why(place: Path, typed: str, words: str) -> None:
    """As a message of its own, and wherever such a file is read."""
    typed, words = typed.replace("{}", str(place)), words.replace("{}", str(place))
    assert storage.absence(typed) == words
    with pytest.raises(MissingInputError) as caught, storage.local_copy(typed):
        pass
    assert str(caught.value) == words


def test_a_name_that_no_file_can_have_is_missing(place: Path) -> None:
    name = "x" * 300
    assert not storage.exists(storage.normalise(name))
    with pytest.raises(MissingInputError, match="nothing at xxx"), storage.local_copy(name):
        pass


def test_a_folder_on_a_store_is_told_from_nothing(s3_bucket: str) -> None:
    storage.put_bytes(f"s3://{s3_bucket}/in/a.jpg", b"1")
    assert storage.absence(f"s3://{s3_bucket}/in").endswith("/in is a folder, not a file: name a file in it")
    assert storage.absence(f"s3://{s3_bucket}/no") == f"nothing at s3://{s3_bucket}/no"
    assert storage.absence(f"s3://{s3_bucket}/in", closely=False) == f"nothing at s3://{s3_bucket}/in"


BAD_PLACES = [
    ("photo.jpg", "{}/photo.jpg is a file, not a folder: choose another place"),
    ("photo.jpg/out", "{}/photo.jpg is a file, not a folder: choose a place that is not below it"),
    ("link.jpg/out", "{}/link.jpg is a link to nothing, not a folder"),
    ("/proc/out", "/proc takes no new files"),
    ("x" * 300, "a name in it is too long"),
]


@pytest.mark.parametrize(("typed", "words"), BAD_PLACES)
def test_a_folder_that_cannot_be_is_refused(place: Path, typed: str, words: str) -> None:
    with pytest.raises(StorageError) as caught:
        storage.check_folder(storage.normalise(typed))
    assert words.replace("{}", str(place)) in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("folder", "{}/folder is a folder, not a file: name a file in it"),
        ("pipe", "{}/pipe is a pipe, not a file"),
        ("/dev/null", "/dev/null is a device, not a file"),
        ("photo.jpg/m.csv", "{}/photo.jpg is a file, not a folder"),
        *((f"{typed}/m.csv", "") for typed, _ in BAD_PLACES),
    ],
)
def test_a_file_that_cannot_be_is_refused(place: Path, typed: str, words: str) -> None:
    with pytest.raises(StorageError) as caught:
        storage.check_file(storage.normalise(typed))
    assert words.replace("{}", str(place)) in str(caught.value)


def test_a_look_at_a_place_leaves_nothing_behind(place: Path) -> None:
    before = sorted(place.rglob("*"))
    for check in (storage.check_folder, storage.check_file):
        check(storage.normalise("new/deep/place"))
    storage.check_folder(storage.normalise("folder"))
    storage.check_file(storage.normalise("photo.jpg"))
    storage.check_folder("s3://bucket/anything")
    assert sorted(place.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_refused(place: Path) -> None:
    (place / "folder").chmod(0o500)
    with pytest.raises(StorageReadOnlyError, match="Permission denied"):
        storage.check_folder(storage.normalise("folder/out"))


@pytest.mark.parametrize(
    "put",
    [
        lambda uri: storage.put_bytes(uri, b"1"),
        lambda uri: storage.put_file(Path("photo.jpg"), uri),
        lambda uri: storage.put_if_absent(uri, b"1"),
    ],
)
@pytest.mark.parametrize("typed", ["photo.jpg/x", "photo.jpg/y/x", "/proc/x", "/proc/new/x"])
def test_a_write_that_cannot_be_is_a_storage_error(place: Path, put: Callable[[str], object], typed: str) -> None:
    """Also where nobody has asked first: what was a folder then may be a file now."""
    with pytest.raises(StorageError, match="cannot be written"):
        put(storage.normalise(typed))


def test_a_write_over_a_folder_is_a_storage_error_and_leaves_nothing(place: Path) -> None:
    with pytest.raises(StorageError, match="is a folder, not a file"):
        storage.put_bytes(storage.normalise("folder"), b"1")
    assert sorted(path.name for path in place.iterdir()) == ["folder", "link.jpg", "photo.jpg", "pipe"]


def test_a_missing_source_of_a_copy_stays_what_it_is(place: Path) -> None:
    """It is a mistake of the caller, and no trouble of the place."""
    with pytest.raises(FileNotFoundError):
        storage.put_file(Path("nope"), storage.normalise("copy"))
    assert filesystem(storage.normalise("copy"))[1] == str(place / "copy")
