"""The whole chain at full size against the reference: crops in, motion, stitching, warping, picture out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from liveportrait_recipe import Comparison, image, recorded, state
from numpy.typing import NDArray

from lp_ray.engine.liveportrait.config import FULL
from lp_ray.engine.liveportrait.networks import MODELS, Networks, load_networks
from lp_ray.engine.liveportrait.predictor import Predictor, SourceFeatures
from tests.goldens import Goldens

TOLERANCE = 5e-4
KEYPOINT_TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def networks(goldens: Goldens) -> Networks:
    return load_networks(FULL, {model: state(goldens, model) for model in MODELS})


@pytest.fixture(scope="module")
def predictor(networks: Networks) -> Predictor:
    """Folded, channels last, one frame a pass: as a job runs it on a CPU."""
    return Predictor(networks, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def source(goldens: Goldens) -> NDArray[np.uint8]:
    with np.load(goldens / "e2e.npz") as file:
        return image(int(file["source_image_seed"]))


@pytest.fixture(scope="module")
def features(predictor: Predictor, source: NDArray[np.uint8]) -> SourceFeatures:
    return predictor.features(source[None])


@pytest.mark.parametrize("index", [0, 1])
def test_frame(
    goldens: Goldens,
    networks: Networks,
    predictor: Predictor,
    source: NDArray[np.uint8],
    features: SourceFeatures,
    index: int,
) -> None:
    """x_d is the driver's own transformed keypoints, stitched to the source's."""
    with np.load(goldens / "e2e.npz") as file:
        driving, expected_x_s = image(int(file["driving_image_seeds"][index])), file["x_s"]
    golden = Comparison(goldens / "e2e.npz", f"frame{index}", TOLERANCE, TOLERANCE)
    x_s, x_d = (predictor.motion(crop[None])["x_s"] for crop in (source, driving))
    np.testing.assert_allclose(x_s, expected_x_s, KEYPOINT_TOLERANCE, KEYPOINT_TOLERANCE)
    golden.whole("x_d", x_d, KEYPOINT_TOLERANCE)
    stitched = predictor.heads.stitch(x_s, x_d)
    golden.whole("x_d_stitched", stitched, KEYPOINT_TOLERANCE)

    with (
        recorded(predictor.renderer.warping, {"motion": "dense_motion_network"}) as motion,
        recorded(predictor.renderer.generator, {"picture": ""}) as generated,
    ):
        frame = predictor.frames(features, x_s, stitched)[0]
    golden.whole("occlusion_map", motion["motion"].occlusion)
    golden.whole("out_sample", generated["picture"].permute(0, 3, 1, 2)[:, :, ::8, ::8])
    difference = frame[::4, ::4].astype(int) - golden["u8_sample"].astype(int)
    assert np.abs(difference).max() <= 1
    mean, std = golden["u8_stats"]
    assert frame.mean() == pytest.approx(mean, abs=0.1) and frame.std() == pytest.approx(std, abs=0.1)
    golden.finish()


def test_area_resize_of_the_source_crop_is_exact(source: NDArray[np.uint8]) -> None:
    """A 512 crop made by doubling pixels comes back as the 256 picture the networks were compared on."""
    doubled = source.repeat(2, 0).repeat(2, 1)
    np.testing.assert_array_equal(cv2.resize(doubled, (256, 256), interpolation=cv2.INTER_AREA), source)
