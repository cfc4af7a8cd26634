"""The demo's cast: several people act, most sources look at the camera, and every cell of a strip shows something."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from jobs.demo import PERFORMANCES, SITTERS, write_drivings, write_sources
from jobs.sheets import COLUMNS
from lp_ray.acting import curves, perform
from lp_ray.acting.curves import Curves
from lp_ray.base.limits import Limits
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.protocol import FRAME_SIZE, SourceCrops
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.portrait import crop_portrait
from lp_ray.face.pose import angles_of
from lp_ray.media.clip import open_footage
from lp_ray.media.images import read_image
from lp_ray.report.sheet import sheet_times

CONTROLS = ("yaw", "pitch", "roll", "jaw", "blink", "smile", "brow")
SECONDS = float(OmegaConf.load("conf/demo.yaml").seconds)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_sources(folder)
    return folder


@pytest.fixture(scope="module")
def prepared(inputs: Path) -> dict[str, PreparedSource]:
    found = {}
    for name, sitter in SITTERS.items():
        image = read_image(inputs / sitter.picture, Limits())
        framing = SourceFraming(repeat_border=True)
        portrait = crop_portrait(image, MediaPipeLandmarker(), sitter.face, None, framing, FRAME_SIZE)
        (found[name],) = PreviewEngine().prepare(SourceCrops(portrait.crop[None], portrait.points[None]))
    return found


def _cells(name: str) -> Curves:
    """The frames of a performance that its contact sheet shows."""
    role = PERFORMANCES[name]
    n_frames = round(SECONDS * role.fps)
    whole = curves(name, n_frames, role.fps)
    times = sheet_times(n_frames, COLUMNS)
    return replace(whole, **{control: getattr(whole, control)[times] for control in CONTROLS})


def test_each_performance_has_an_actor_of_its_own_who_is_a_source_too(inputs: Path) -> None:
    actors = [role.actor for role in PERFORMANCES.values()]
    assert len(set(actors)) == len(actors) >= 2
    listed = pq.read_table(inputs / "sources.parquet").column("source_id").to_pylist()
    assert set(actors) < set(listed) == set(SITTERS)


def test_faces_look_at_the_camera_but_for_one_which_is_called_hard(prepared: dict[str, PreparedSource]) -> None:
    turned = {name for name, source in prepared.items() if abs(angles_of(source.rotation)[1]) > 18}
    assert turned == {name for name in SITTERS if "hard-case" in name}
    assert len(turned) == 1
    assert sorted(SITTERS)[-1] in turned, "sheets list it last"
    assert abs(angles_of(prepared[sorted(SITTERS)[0]].rotation)[1]) < 5


@pytest.mark.parametrize("name", PERFORMANCES)
def test_every_cell_of_a_strip_shows_something_new(name: str, prepared: dict[str, PreparedSource]) -> None:
    frames = [frame.astype(int) for frame in perform(prepared[PERFORMANCES[name].actor], _cells(name))]
    assert len(frames) == COLUMNS
    for before, after in pairwise(frames):
        assert np.abs(after - before).mean() > 0.8


def test_a_strip_of_expressions_holds_each_of_them() -> None:
    cells = _cells("expressions")
    for control in ("smile", "brow", "jaw", "blink"):
        curve = getattr(cells, control)
        assert curve.max() > 0.95 and curve.min() < 0.05


def test_drivings_are_filmed_with_their_actors(inputs: Path) -> None:
    write_drivings(inputs, 0.1)
    rows = pq.read_table(inputs / "drivings.parquet").to_pylist()
    for row, (name, role) in zip(rows, PERFORMANCES.items(), strict=True):
        assert row["driving_id"] == f"{name} (by {role.actor})"
        footage = open_footage(Path(row["uri"]), Limits())
        assert footage.n_frames == round(Fraction(1, 10) * role.fps)
