"""Who is who on real faces; chips that do not depend on how a picture was taken; a file that must be whole."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.face.identity import CHIP_SIZE, WARNING, IdentityNetwork, align, cosine, distance
from lp_ray.face.identity.chips import CORNERS, chip_matrix
from lp_ray.face.identity.on_device import BATCH, TorchNetwork
from lp_ray.face.identity.weights import FILE, read_weights
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker

Portrait = Callable[[str], Image]
STRANGERS = ("s0", "s3", "s5", "s7", "s9", "s12")


@pytest.fixture(scope="module")
def network() -> IdentityNetwork:
    return IdentityNetwork()


def _largest(landmarker: MediaPipeLandmarker, image: Image) -> Image:
    face = max(landmarker.detect(image), key=lambda face: face.box[2] - face.box[0])
    return align(image, face.points)


def test_one_person_stays_and_strangers_differ(
    network: IdentityNetwork,
    landmarker: MediaPipeLandmarker,
    portrait: Portrait,
    clip: Callable[[str, float], list[Image]],
) -> None:
    """Frames of one clip are nearer to each other than WARNING, any two portraits further apart."""
    one = network(np.stack([_largest(landmarker, frame) for frame in clip("d0", 2)[::10]]))
    assert distance(one[:, None], one).max() < WARNING
    strangers = network(np.stack([_largest(landmarker, portrait(name)) for name in STRANGERS]))
    apart = distance(strangers[:, None], strangers)
    assert apart[~np.eye(len(apart), dtype=bool)].min() > WARNING
    assert cosine(one[0], one).min() > cosine(one[0], strangers).max()


def test_company_makes_no_difference(network: IdentityNetwork) -> None:
    """Numpy and torch alike: embeddings are those of the same chips alone, also over more than one pass."""
    chips = np.random.default_rng(0).integers(0, 255, (BATCH + 2, CHIP_SIZE, CHIP_SIZE, 3), np.uint8)
    on_torch = TorchNetwork(read_weights(), "cpu")
    for embed, several in ((network, chips[:3]), (on_torch, chips)):
        np.testing.assert_array_equal(
            embed(several)[[0, -1]], [embed(several[i : i + 1])[0] for i in (0, len(several) - 1)]
        )
    assert network(chips[:0]).shape == (0, 128)


@given(st.floats(0.2, 4), st.floats(-180, 180), st.tuples(st.floats(-500, 500), st.floats(-500, 500)))
def test_chips_are_placed_by_a_similarity(scale: float, turn: float, shift: tuple[float, float]) -> None:
    """Wherever, however large and however turned the five points are, they land in the same places."""
    five = np.array([(180.0, 60), (150, 64), (90, 58), (120, 63), (135, 110)])
    angle = np.radians(turn)
    rotation = scale * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    places = []
    for points in (five, five @ rotation.T + shift):
        matrix = chip_matrix(points)
        places.append(points @ matrix[:, :2].T + matrix[:, 2])
    np.testing.assert_allclose(places[1], places[0], atol=1e-6)


@pytest.mark.parametrize("factor", [0.5, 6.0])
def test_size_of_the_picture_makes_little_difference(
    network: IdentityNetwork, landmarker: MediaPipeLandmarker, portrait: Portrait, factor: float
) -> None:
    """Large faces are shrunk by area: noise of single pixels, which skipping would keep, averages out."""
    image = portrait("s12")
    points = landmarker.detect(image)[0].points
    mode = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(image, None, fx=factor, fy=factor, interpolation=mode)
    noise = np.random.default_rng(1).integers(-40, 41, resized.shape) if factor > 1 else 0
    other = np.clip(resized.astype(int) + noise, 0, 255).astype(np.uint8)
    moved = points[:, :2] * factor + (factor - 1) / 2
    one, two = network(np.stack([align(image, points), align(other, moved)]))
    assert cosine(one, two) > 0.99


def test_478_points_and_the_five_of_them_give_one_chip(landmarker: MediaPipeLandmarker, portrait: Portrait) -> None:
    image = portrait("s12")
    points = landmarker.detect(image)[0].points
    np.testing.assert_array_equal(align(image, points), align(image, points[list(CORNERS), :2]))


def test_a_face_off_the_picture_is_black() -> None:
    five = np.array([(1800.0, 60), (1500, 64), (900, 58), (1200, 63), (1350, 700)]) + 5000
    assert align(np.full((50, 60, 3), 200, np.uint8), five).max() == 0


def test_wrong_points_and_chips_are_refused(network: IdentityNetwork) -> None:
    image = np.zeros((50, 60, 3), np.uint8)
    with pytest.raises(ValueError, match="478 landmarks or five, not 203"):
        align(image, np.zeros((203, 2)))
    with pytest.raises(ValueError, match="without extent"):
        align(image, np.ones((5, 2)))
    with pytest.raises(ValueError, match="n x 150 x 150 x 3, not uint8, 1 x 112 x 112 x 3"):
        network(np.zeros((1, 112, 112, 3), np.uint8))


def test_an_altered_or_missing_file_is_refused(tmp_path: Path) -> None:
    raw = bytearray(FILE.read_bytes())
    raw[len(raw) // 2] ^= 1
    altered = tmp_path / FILE.name
    altered.write_bytes(raw)
    with pytest.raises(WeightsError, match=r"sha256 .* belongs; install lp_ray again"):
        read_weights(altered)
    with pytest.raises(WeightsError, match=r"No such file.*install lp_ray again"):
        read_weights(tmp_path / "gone")


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(RefusedError, match="device='cuda:77'"):
        IdentityNetwork("cuda:77")


def test_a_job_without_torch_stays_without_it() -> None:
    """Embedding a face on the CPU imports no torch: that would cost seconds and hundreds of MB in every process."""
    script = (
        "import sys, numpy as np; from lp_ray.face.identity import IdentityNetwork; "
        "IdentityNetwork()(np.zeros((1, 150, 150, 3), np.uint8)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[3])
