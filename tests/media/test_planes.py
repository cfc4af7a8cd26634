"""Pictures that are yuv420p already are encoded as they are, and the file says what they are."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lp_ray.contract.formats import FORMATS
from lp_ray.media import ffmpeg
from lp_ray.media.encode import encode_planes, encode_segment
from lp_ray.media.formats.protocol import Encoding, takes_planes
from tests.media.test_yuv_on_device import of_ffmpeg

FPS = Fraction(30000, 1001)
HEIGHT, WIDTH = 48, 64


def test_planes_reach_the_file_unchanged_and_equal_the_rgb_way(tmp_path: Path) -> None:
    """The same planes as `encode_segment` makes of the same pictures give the same file, tags and all."""
    pictures = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
    planes = np.stack([of_ffmpeg(picture).reshape(HEIGHT * 3 // 2, WIDTH) for picture in pictures])
    assert encode_planes(tmp_path / "p.mp4", planes, FPS, 0, "veryfast") == 3
    encode_segment(tmp_path / "s.mp4", pictures, FPS, 0, "veryfast")
    assert (tmp_path / "p.mp4").read_bytes() == (tmp_path / "s.mp4").read_bytes()
    decode = ["-loglevel", "error", "-i", str(tmp_path / "p.mp4"), "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    shown = subprocess.run([ffmpeg.executable(), *decode], capture_output=True, check=True).stdout
    np.testing.assert_array_equal(np.frombuffer(shown, np.uint8).reshape(planes.shape), planes)


@pytest.mark.parametrize("shape", [(0, 72, 64), (1, 70, 64), (1, 72, 63)])
def test_what_is_no_yuv420p_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="no yuv420p pictures"):
        encode_planes(tmp_path / "p.mp4", np.zeros(shape, np.uint8), FPS, 20, "veryfast")
    assert not list(tmp_path.iterdir())


def test_only_a_format_that_says_so_takes_planes(tmp_path: Path) -> None:
    """Formats derived from mp4 encode otherwise, and must not inherit it."""
    assert {name for name in FORMATS.names() if takes_planes(FORMATS.get(name))} == {"mp4"}
    made = FORMATS.get("mp4")
    assert takes_planes(made)
    made.write_planes(tmp_path / "m.mp4", np.full((2, 72, 64), 128, np.uint8), Encoding(FPS, 0, 20, "fast", "x264"))
    assert (tmp_path / "m.mp4").stat().st_size > 0
