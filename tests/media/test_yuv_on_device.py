"""yuv420p made with torch is ffmpeg's, within 1."""

from __future__ import annotations

import subprocess
from fractions import Fraction

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.media import ffmpeg
from lp_ray.media.encode import even_size, raw_input, to_bt709

torch = pytest.importorskip("torch")

from lp_ray.media.yuv_on_device import LEAST_SIDE, to_yuv420p  # noqa: E402

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")

SIZES = ((LEAST_SIDE, LEAST_SIDE), (18, 34), (64, 98), (129, 131), (720, 1280), (101, 64))
"""Height and width; odd ones too."""


def of_ffmpeg(picture: Image) -> NDArray[np.uint8]:
    """What the encoder is given today."""
    width, height = even_size(picture.shape[1], picture.shape[0])
    args = [*raw_input(width, height, Fraction(25)), *to_bt709("yuv420p"), "-f", "rawvideo", "-"]
    command = [ffmpeg.executable(), "-loglevel", "error", *args]
    even = np.ascontiguousarray(picture[:height, :width])
    done = subprocess.run(command, input=even.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8)


def of_ours(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    made: NDArray[np.uint8] = to_yuv420p(torch.from_numpy(pictures).to(DEVICE)).cpu().numpy()
    return made


@pytest.mark.parametrize("size", SIZES)
def test_noise_of_any_size(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    difference = np.abs(of_ours(picture[None])[0].astype(int) - of_ffmpeg(picture))
    assert difference.max() <= 1 and (difference > 0).mean() < 0.03


def test_black_white_and_full_colours() -> None:
    """The ends of every scale, with steps between them where the chroma's filter overshoots."""
    corners = np.stack(np.meshgrid([0, 255], [0, 255], [0, 255]), -1).reshape(2, 4, 3)
    picture = corners.repeat(20, 0).repeat(20, 1).astype(np.uint8)
    assert np.abs(of_ours(picture[None])[0].astype(int) - of_ffmpeg(picture)).max() <= 1


def test_a_photograph_and_several_at_once() -> None:
    photo = skimage.data.astronaut()
    together = of_ours(np.stack([photo, photo[::-1]]))
    assert together.shape == (2, 512 * 512 * 3 // 2)
    for made, picture in zip(together, (photo, photo[::-1]), strict=True):
        assert np.abs(made.astype(int) - of_ffmpeg(np.ascontiguousarray(picture))).max() <= 1


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="least side is 16"):
        of_ours(np.zeros((1, 14, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="n x H x W x 3"):
        of_ours(np.zeros((1, 64, 64, 4), np.uint8))
