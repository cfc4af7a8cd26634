"""From a picture to faces: sizes, pixels, suppression, and the detector on real portraits of animals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from lp_ray.base.arrays import Image
from lp_ray.base.errors import EngineOutputError, RefusedError, UnsupportedError
from lp_ray.face.xpose.config import TINY
from lp_ray.face.xpose.model import XPose
from lp_ray.face.xpose.runner import XPoseDetector, network_size, prepare, survivors
from lp_ray.face.xpose.seeded import seeded_prompts
from lp_ray.face.xpose.weights import load_xpose

pytestmark = pytest.mark.slow

SIZES = [  # (height, width) -> the reference's, spec/xpose.md section 2
    ((300, 1200), (333, 1332)),
    ((801, 1333), (800, 1331)),
    ((1333, 801), (1331, 800)),
    ((200, 240), (800, 960)),
    ((97, 97), (800, 800)),
    ((800, 1000), (800, 1000)),
    ((3000, 2000), (1200, 800)),
]


@pytest.mark.parametrize(("given", "expected"), SIZES)
def test_sizes_are_the_references(given: tuple[int, int], expected: tuple[int, int]) -> None:
    assert network_size(*given) == expected


def test_a_sliver_is_refused() -> None:
    assert network_size(33, 40 * 33) == (33, 40 * 33)
    with pytest.raises(UnsupportedError, match="4001 x 100 is too elongated"):
        network_size(100, 4001)


def test_a_grey_level_is_normalised_channel_by_channel() -> None:
    got = prepare(np.full((40, 60, 3), 128, np.uint8))
    assert got.shape == (1, 3, 800, 1200) and got.dtype == torch.float32
    expected = (128 / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(got[0, :, 13, 17], expected, atol=1e-6)


def test_suppression_keeps_the_best_of_what_overlaps() -> None:
    boxes = np.array(
        [[0.3, 0.3, 0.2, 0.2], [0.31, 0.3, 0.2, 0.2], [0.7, 0.7, 0.2, 0.2], [0.5, 0.5, 0.1, 0.1]], np.float32
    )
    scores = np.array([0.6, 0.9, 0.7, 0.05], np.float32)
    assert survivors(boxes, scores, 0.1, 0.0) == [1, 2]
    assert survivors(boxes, scores, 0.0, 0.0) == [1, 2, 3]
    assert survivors(boxes, scores, 0.0, 0.95) == [1, 2, 0, 3]
    assert survivors(boxes, scores, 0.95, 0.0) == []


def test_animals_portraits(tiny: XPose, portrait: Callable[[str], Image]) -> None:
    """Points come in pixels of the picture, best face first, the same ones every time."""
    image = portrait("s30")
    detector = XPoseDetector(tiny, seeded_prompts(9), min_score=0.0)
    faces = detector.detect(image)
    assert faces and [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    with torch.inference_mode():
        prompts = seeded_prompts(9)
        found = tiny(prepare(image), torch.from_numpy(prompts.instance), torch.from_numpy(prompts.keypoints))
    best = int(found.logit[0].sigmoid().argmax())
    height, width = image.shape[:2]
    assert faces[0].points.shape == (9, 2) and faces[0].points.dtype == np.float64
    expected = found.points[0, best].numpy() * np.array([width, height])
    np.testing.assert_allclose(faces[0].points, expected, rtol=1e-6)
    again = detector.detect(image)
    assert all(np.array_equal(a.points, b.points) for a, b in zip(faces, again, strict=True))


def test_nothing_above_the_score_gives_an_empty_list(tiny: XPose) -> None:
    flat = np.full((64, 64, 3), 90, np.uint8)
    assert XPoseDetector(tiny, seeded_prompts(9), min_score=1.0).detect(flat) == []


def test_broken_weights_are_not_an_empty_picture(checkpoint: dict[str, Tensor]) -> None:
    broken = {**checkpoint, "transformer.decoder.norm.bias": torch.full((TINY.width,), torch.nan)}
    model, _ = load_xpose(broken, "broken", TINY)
    with pytest.raises(EngineOutputError, match="not finite"):
        XPoseDetector(model, seeded_prompts(9)).detect(np.zeros((64, 64, 3), np.uint8))


def test_digest_follows_all_that_changes_a_result(tiny: XPose, checkpoint: dict[str, Tensor]) -> None:
    other = {**checkpoint, "transformer.decoder.norm.bias": checkpoint["transformer.decoder.norm.bias"] + 1e-4}
    detectors = [
        XPoseDetector(tiny, seeded_prompts(9)),
        XPoseDetector(tiny, seeded_prompts(68)),
        XPoseDetector(tiny, seeded_prompts(9), min_score=0.2),
        XPoseDetector(load_xpose(other, "other", TINY)[0], seeded_prompts(9)),
    ]
    assert len({detector.digest for detector in detectors}) == len(detectors)
    assert detectors[0].digest == XPoseDetector(tiny, seeded_prompts(9)).digest
    assert (detectors[0].n_points, detectors[1].n_points, detectors[0].name) == (9, 68, "xpose")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(tiny: XPose) -> None:
    with pytest.raises(RefusedError, match="device 'cuda' was asked for"):
        XPoseDetector(tiny, seeded_prompts(9), device="cuda")
