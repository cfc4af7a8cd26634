"""The predictor at the tiny size: batches, and sources of one row or of a row per frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lp_ray.engine.liveportrait.config import TINY
from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.predictor import Predictor
from lp_ray.engine.liveportrait.weights.weight_set import WeightSet

pytestmark = pytest.mark.slow

N_FRAMES = 11
"""More than a pass, and no multiple of one."""

F32 = NDArray[np.float32]


@pytest.fixture(scope="module")
def predictor(weights: WeightSet) -> Predictor:
    return Predictor(load_networks(TINY, weights.states), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def keypoints(predictor: Predictor, crops: NDArray[np.uint8]) -> F32:
    return predictor.motion(crops)["x_s"]


def test_features_of_many_pictures_are_those_of_each(predictor: Predictor, crops: NDArray[np.uint8]) -> None:
    together = predictor.features(crops)
    assert len(together) == N_FRAMES
    for i in (0, 7, 8, 10):
        alone = predictor.features(crops[i : i + 1])
        assert len(alone) == 1
        torch.testing.assert_close(together.volume[i : i + 1], alone.volume, atol=0, rtol=0)
        torch.testing.assert_close(together.compressed[i : i + 1], alone.compressed, atol=0, rtol=0)


def test_one_source_row_serves_all_frames(predictor: Predictor, crops: NDArray[np.uint8], keypoints: F32) -> None:
    source = predictor.features(crops[:1])
    frames = predictor.frames(source, keypoints[:1], keypoints)
    assert frames.shape == (N_FRAMES, 512, 512, 3) and frames.dtype == np.uint8
    repeated = predictor.features(crops[[0] * N_FRAMES])
    np.testing.assert_array_equal(predictor.frames(repeated, keypoints[[0] * N_FRAMES], keypoints), frames)


def test_row_i_of_a_source_video_makes_frame_i(predictor: Predictor, crops: NDArray[np.uint8], keypoints: F32) -> None:
    source, x_d = predictor.features(crops), keypoints[::-1].copy()
    frames = predictor.frames(source, keypoints, x_d)
    for i in (0, 5, 8, 10):
        alone = predictor.frames(source.rows(i, i + 1), keypoints[i : i + 1], x_d[i : i + 1])
        np.testing.assert_array_equal(frames[i], alone[0])


def test_another_number_of_source_rows_is_an_error(
    predictor: Predictor, crops: NDArray[np.uint8], keypoints: F32
) -> None:
    with pytest.raises(ValueError, match="11 frames take a source of 1 or 11 rows, not 2 features, 2 x_s"):
        predictor.frames(predictor.features(crops[:2]), keypoints[:2], keypoints)
