"""What a folder or a glob means: the files that a person sees there, links followed, on local files and on S3."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lp_ray import storage
from lp_ray.storage.search import SYSTEM_FOLDERS

TREE = (
    *("a.jpg", "b.txt", "sub/c.jpg", "sub/deep/d.jpg", "._a.jpg", ".thumbs/a.jpg", "sub/.hidden.jpg", "sub/.x/y.jpg"),
    *(f"{name}/a.jpg" for name in sorted(SYSTEM_FOLDERS)),
)


@pytest.fixture
def tree(root: str) -> str:
    for name in TREE:
        storage.put_bytes(storage.join(root, *name.split("/")), b"1")
    return root


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ["a.jpg", "b.txt", "sub/c.jpg", "sub/deep/d.jpg"]),
        ("/", ["a.jpg", "b.txt", "sub/c.jpg", "sub/deep/d.jpg"]),
        ("/**", ["a.jpg", "b.txt", "sub/c.jpg", "sub/deep/d.jpg"]),
        ("/**/*", ["a.jpg", "b.txt", "sub/c.jpg", "sub/deep/d.jpg"]),
        ("/*", ["a.jpg", "b.txt"]),
        ("/*.jpg", ["a.jpg"]),
        ("/**/*.jpg", ["a.jpg", "sub/c.jpg", "sub/deep/d.jpg"]),
        ("/*/*.jpg", ["sub/c.jpg"]),
        ("/s[tu]b/**/?.jpg", ["sub/c.jpg", "sub/deep/d.jpg"]),
        ("/sub/**/d.*", ["sub/deep/d.jpg"]),
        ("/**/deep/*", ["sub/deep/d.jpg"]),
        ("/._a.jpg", ["._a.jpg"]),
        ("/.thumbs", [".thumbs/a.jpg"]),
        ("/.thumbs/*.jpg", [".thumbs/a.jpg"]),
        ("/*.gif", []),
        ("/nope", []),
    ],
)
def test_a_glob_and_a_folder_agree_and_hide_what_is_hidden(tree: str, pattern: str, names: list[str]) -> None:
    """Hidden files and folders are found only where they are typed."""
    assert storage.glob(tree + pattern) == [f"{tree}/{name}" for name in names]


def test_folders_with_the_marker_are_left_out_but_for_the_searched_one(tree: str) -> None:
    for name in ("sub/.lp_ray/lease/1.json", "sub/videos/v.mp4"):
        storage.put_bytes(storage.join(tree, *name.split("/")), b"1")
    for pattern in (tree, f"{tree}/**"):
        found = storage.search(pattern, ".lp_ray")
        assert (found.root, found.marked) == (tree, [f"{tree}/sub"])
        assert found.files == [f"{tree}/a.jpg", f"{tree}/b.txt"]
    inside = storage.search(f"{tree}/sub", ".lp_ray")
    assert inside.marked == [f"{tree}/sub"]
    assert inside.files == [f"{tree}/sub/{name}" for name in ("c.jpg", "deep/d.jpg", "videos/v.mp4")]


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder with links to elsewhere, to itself, above itself, to nothing and in a circle."""
    for name in ("above.jpg", "in/a.jpg", "in/sub/b.jpg", "elsewhere/c.jpg", "elsewhere/deep/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    folder = tmp_path / "in"
    links = {"link": "../elsewhere", "again": "../elsewhere/deep", "asub": "sub", "loop": ".", "up": "..", "gone": "no"}
    for name, target in {**links, "circle": "circle", "file.jpg": "a.jpg", "sub/back": "../../elsewhere/deep"}.items():
        (folder / name).symlink_to(target)
    return folder


@pytest.mark.parametrize("pattern", ["", "/**"])
def test_linked_folders_are_followed_once(linked: Path, pattern: str) -> None:
    """A folder that is here already keeps its own name; the first of several links to another one names it."""
    names = ["a.jpg", "again/d.jpg", "file.jpg", "link/c.jpg", "sub/b.jpg"]
    assert storage.glob(f"{linked}{pattern}") == [f"file://{linked}/{name}" for name in names]


def test_a_link_in_a_pattern_is_followed(linked: Path) -> None:
    assert storage.glob(f"{linked}/link/*.jpg") == [f"file://{linked}/link/c.jpg"]
    assert storage.glob(f"{linked}/l*/*.jpg") == [f"file://{linked}/link/c.jpg"]


def test_names_of_any_bytes_are_found_and_read(tmp_path: Path) -> None:
    names = [b"caf\xe9.jpg", b"%41.jpg", b"a%20b.jpg", "照.jpg".encode()]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_bytes(name)
    uris = storage.glob(str(tmp_path))
    assert sorted(map(storage.read_bytes, uris)) == sorted(names)
    assert sorted(storage.read_bytes(storage.normalise(uri)) for uri in uris) == sorted(names)
    assert all(uri.encode() for uri in uris)
    assert set(storage.versions(uris)) == set(uris)
