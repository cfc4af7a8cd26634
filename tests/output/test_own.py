"""Files that jobs wrote are told apart from a user's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from lp_ray import storage
from lp_ray.output.layout import OutputLayout, TemplateLayout
from lp_ray.output.own import FOLDERS, MARK, is_stored_template, not_own
from lp_ray.output.sidecars.protocol import SIDECARS

LAYOUT = OutputLayout("file:///out", "run", "0-of-2")


def test_every_place_of_an_output_is_known() -> None:
    """A place that is added to the layout is to be added there, too: else its files become inputs."""
    properties = [name for name, value in vars(OutputLayout).items() if isinstance(value, property)]
    places = {str(getattr(LAYOUT, name)).removeprefix("file:///out/").partition("/")[0] for name in properties}
    assert len(properties) > 8 and places <= {*FOLDERS, MARK}
    assert LAYOUT.lease.startswith(f"file:///out/{MARK}/"), "every output that was worked on holds the mark"


def test_a_stored_template_is_told_by_its_name() -> None:
    assert is_stored_template(TemplateLayout("file:///store").template("0123456789abcdef" * 2))
    assert not is_stored_template("file:///store/nod.npz")


@pytest.mark.parametrize(
    ("searched", "names"),
    [
        ("", ["a.jpg", "motion/m.npz", "videos/own.mp4"]),
        ("out", ["out/own.jpg"]),
        ("twice", ["twice/own.jpg"]),
        ("out/videos", ["out/videos/v.mp4"]),
    ],
)
def test_the_files_of_an_output_are_left_out_unless_their_folder_is_named(
    tmp_path: Path, searched: str, names: list[str]
) -> None:
    """Where the searched folder is an output itself, the user's own files in it stay."""
    files = [
        "a.jpg",
        "videos/own.mp4",
        "out/.lp_ray/lease/1.json",
        "out/videos/v.mp4",
        "out/templates/t.npz",
        "motion/m.npz",
    ]
    files += [f"twice/{folder}/x.mp4" for folder in (*FOLDERS, *SIDECARS.names(), MARK)]
    for name in [*files, "out/own.jpg", "twice/own.jpg", "out/sheets/sheet-000.png"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    found = storage.search(str(tmp_path / searched), MARK)
    assert not_own(found) == [f"file://{tmp_path}/{name}" for name in names]
