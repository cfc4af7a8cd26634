"""Editing by hand against the reference's keypoints: every row of editing.npz, a source video's lips, silence."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_pipeline import NumpyHeads

from lp_ray.contract.edits import ALIASES, CONTROLS, make_edits
from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.motion.editing import edit_source, make_edit, silenced, video_lips
from lp_ray.motion.keypoints import rotation
from lp_ray.motion.records import SourceMotion
from tests.goldens import Goldens

TOLERANCE = 1e-5

Arrays = Mapping[str, NDArray[Any]]


@cache
def _load(folder: Path) -> tuple[Arrays, SourceMotion, NumpyHeads]:
    """The cases; the source's frames, their third t set to 0 (spec/editing.md); the heads on people's weights."""
    with np.load(folder / "editing.npz") as file:
        cases = dict(file)
    with np.load(folder / "pipeline.npz") as file:
        info = {key.split("/")[1]: file[key] for key in file if key.startswith("source_info/")}
        points = file["source_lmk"].astype(np.float64)
    R = rotation(info.pop("pitch"), info.pop("yaw"), info.pop("roll"))
    info["t"] = info["t"] * np.array([1, 1, 0], np.float32)
    frames = {**info, "R": R, "eye_ratio": eye_ratios(points), "lip_ratio": lip_ratio(points)}
    salt = next(
        salt for salt in json.loads((folder / "weights_checksums.json").read_text()) if salt.startswith("human")
    )
    return cases, SourceMotion.from_frames(frames, True), NumpyHeads(folder, salt)


def _picture(video: SourceMotion, row: int) -> SourceMotion:
    return replace(video.take(slice(row, row + 1)), is_video=False)


def test_every_row(goldens: Goldens) -> None:
    """x_s and x_d of each case; NaN in the file is a ratio that stays the source's own."""
    cases, video, heads = _load(goldens)
    wrong = []
    for i, (row, values) in enumerate(zip(cases["source"], cases["values"], strict=True)):
        named = zip(cases["controls"].tolist(), values.tolist(), strict=True)
        edits = make_edits({name: value for name, value in named if not math.isnan(value)}, f"row {i}")
        source, stitching = _picture(video, int(row)), bool(cases["stitching"][i])
        ours = edit_source(source, make_edit(edits), heads, stitching)
        assert ours.dtype == np.float32
        if not edits and stitching:  # the reference stitches a face that does not move as well
            ours = heads.stitch(source.x_s, source.x_s)
        error = max(np.abs(ours[0] - cases["x_d"][i]).max(), np.abs(source.x_s[0] - cases["x_s"][i]).max())
        if not error <= TOLERANCE:
            wrong.append(f"row {i}, {dict(edits)}: off by {error:.2g}")
    assert not wrong, "\n".join([f"{len(wrong)} rows differ", *wrong[:20]])


def test_the_table_is_the_references(goldens: Goldens) -> None:
    """The file's controls are ours but for those that go further; its values lie in our ranges and reach their ends."""
    cases, _, _ = _load(goldens)
    names = [ALIASES.get(name, name) for name in cases["controls"].tolist()]
    assert sorted(names) == sorted(control.name for control in CONTROLS if control.reference)
    for control in CONTROLS:
        if control.reference:
            column = cases["values"][:, names.index(control.name)]
            assert np.nanmin(column) >= control.low and np.nanmax(column) <= control.high, control.name
            assert np.nanmax(column) == control.high, control.name


def test_a_source_videos_lips(goldens: Goldens) -> None:
    """`video_lip/<ratio>/<observation variance>`: opened or closed in every frame, smoothed, stitched."""
    cases, video, heads = _load(goldens)
    rows = [key for key in cases if key.startswith("video_lip/")]
    assert rows
    for key in rows:
        _, ratio, variance = key.split("/")
        moved = video.x_s + video_lips(video, float(ratio), heads, float(variance))
        np.testing.assert_allclose(heads.stitch(video.x_s, moved), cases[key], atol=TOLERANCE, rtol=0, err_msg=key)


def test_a_source_video_silenced(goldens: Goldens) -> None:
    cases, video, heads = _load(goldens)
    moved = silenced(video)
    np.testing.assert_allclose(moved, cases["video_silence/x_d"], atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(heads.stitch(video.x_s, moved), cases["video_silence/stitched"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("wanted", [0.0, 0.4])
def test_wanted_ratios_of_zero_are_wishes_too(goldens: Goldens, wanted: float) -> None:
    """A ratio of 0 shuts the eyes: it is not "not given"."""
    _, video, heads = _load(goldens)
    source = _picture(video, 0)
    moved = edit_source(source, make_edit(make_edits({"eye_ratio": wanted}, "test")), heads, stitching=False)
    assert np.abs(moved - source.x_s).max() > 1e-3
