"""Arrays as inputs: what is read back is what was given, under a name of its content; what is no picture is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.media.clip import open_footage
from lp_ray.media.images import read_image
from lp_ray.output.arrays import ArrayClip, store_clip, store_picture
from lp_ray.output.layout import OutputLayout


@pytest.fixture
def layout(tmp_path: Path) -> OutputLayout:
    return OutputLayout(f"file://{tmp_path}")


def path_of(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def noise(*shape: int) -> Any:
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def test_a_picture_is_kept_exactly_and_once(layout: OutputLayout) -> None:
    picture = noise(33, 47, 3)
    uri = store_picture(layout, picture, "source")
    assert np.array_equal(read_image(path_of(uri), Limits()), picture)
    assert store_picture(layout, picture.copy(), "source") == uri
    assert store_picture(layout, np.ascontiguousarray(picture[::-1]), "source") != uri
    assert len(list(path_of(layout.arrays).iterdir())) == 2


def test_a_grey_picture_is_a_picture(layout: OutputLayout) -> None:
    grey = noise(20, 30)
    read = read_image(path_of(store_picture(layout, grey, "source")), Limits())
    assert all(np.array_equal(read[..., channel], grey) for channel in range(3))


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001), 12, 29.97, 23.976, 7.5])
def test_a_clip_is_kept_exactly_at_its_rate(layout: OutputLayout, fps: Any) -> None:
    """Every frame bit by bit, of an odd size too, from a generator as from an array."""
    frames = noise(5, 35, 51, 3)
    uri = store_clip(layout, ArrayClip((frame for frame in frames), fps), "driving")
    clip = open_footage(path_of(uri), Limits())
    assert np.array_equal(np.stack(list(clip.frames())), frames)
    assert clip.fps == {29.97: Fraction(30000, 1001), 23.976: Fraction(24000, 1001)}.get(fps, Fraction(fps))
    assert store_clip(layout, ArrayClip(frames, fps), "driving") == uri


@pytest.mark.parametrize(
    ("frames", "fps", "reason"),
    [
        ([], 25, "driving: no frames"),
        (noise(3, 16, 16, 3).astype(float), 25, r"driving: frame 0: \(16, 16, 3\), float64; must be"),
        ([noise(16, 16, 3), noise(16, 18, 3)], 25, r"driving: frame of shape \(16, 18, 3\)"),
        (noise(3, 16, 16, 3), 0, "fps=0 must be"),
        (noise(3, 16, 16, 3), float("nan"), "fps=nan must be"),
        (noise(3, 16, 16, 3), "25", "fps='25' must be"),
    ],
)
def test_what_is_no_clip_is_refused(layout: OutputLayout, frames: Any, fps: Any, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        store_clip(layout, ArrayClip(frames, fps), "driving")
    assert not path_of(layout.arrays).exists()
