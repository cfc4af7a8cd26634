"""Blendshapes on real faces, and what they must not depend on (MediaPipe's numbers are in tests/golden)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lp_ray.base.arrays import Image
from lp_ray.face.mediapipe.blendshapes import INDEX, NAMES, BlendshapeNetwork
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.points import eye_ratios, lip_ratio


@pytest.fixture(scope="module")
def network() -> BlendshapeNetwork:
    return BlendshapeNetwork()


def test_names_are_52_and_different() -> None:
    assert len(NAMES) == len(INDEX) == 52


def test_size_and_place_make_no_difference(
    network: BlendshapeNetwork, landmarker: MediaPipeLandmarker, portrait: Callable[[str], Image]
) -> None:
    points = landmarker.detect(portrait("s9"))[0].points
    np.testing.assert_allclose(network(points * 4 - [900, 50, 7]), network(points), atol=1e-3)


def test_coefficients_go_with_what_the_face_does(
    network: BlendshapeNetwork, landmarker: MediaPipeLandmarker, clip: Callable[[str, float], list[Image]]
) -> None:
    """Over a clip of talk and blinks, the jaw's goes with the lips' ratio, the blink's against the eyes'."""
    points = np.stack([landmarker.detect(frame)[0].points for frame in clip("d0", 3)[::3]])
    coefficients = network.many(points)
    jaw, blink = (coefficients[:, INDEX[name]] for name in ("jawOpen", "eyeBlinkLeft"))
    assert np.corrcoef(jaw, lip_ratio(points)[:, 0])[0, 1] > 0.9
    assert np.corrcoef(blink, eye_ratios(points)[:, 1])[0, 1] < -0.9


def test_many_are_those_of_each_and_none_are_none(network: BlendshapeNetwork) -> None:
    points = np.random.default_rng(0).uniform(0, 300, (3, 478, 3))
    np.testing.assert_array_equal(network.many(points), [network(face) for face in points])
    assert network.many(points[:0]).shape == (0, 52)


def test_other_landmarks_are_refused(network: BlendshapeNetwork) -> None:
    with pytest.raises(ValueError, match="478 landmarks, not 203"):
        network(np.zeros((203, 2)))
