"""The identity network against dlib's own embeddings (identity.npz)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.face.identity import IdentityNetwork, align, cosine, distance
from lp_ray.face.identity.network import NumpyNetwork
from lp_ray.face.identity.on_device import TorchNetwork
from lp_ray.face.identity.weights import read_weights
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from tests.goldens import Goldens

OWN_CHIPS = 0.995
OUR_CHIPS = 0.99
QUANTISED = 0.05
"""L2 distance that 8-bit weights may cost."""

Arrays = Mapping[str, NDArray[Any]]


@pytest.fixture(scope="module")
def dlib(goldens: Goldens) -> Arrays:
    with np.load(goldens / "identity.npz") as file:
        return dict(file)


@pytest.mark.parametrize("form", [NumpyNetwork, lambda weights: TorchNetwork(weights, "cpu")])
def test_embeddings_of_dlibs_chips(dlib: Arrays, form: Any) -> None:
    """Both forms of the network, on chips that dlib cut."""
    ours = form(read_weights())(dlib["chips"])
    assert ours.dtype == np.float32 and ours.shape == dlib["embedding"].shape
    assert cosine(ours, dlib["embedding"]).min() >= OWN_CHIPS
    assert distance(ours, dlib["embedding"]).max() <= QUANTISED


def test_embeddings_of_our_chips(dlib: Arrays, media: Path) -> None:
    """Pictures as a job reads them: our landmarks, our alignment. dlib's own five points give nearly its chip."""
    landmarker, network = MediaPipeLandmarker(), IdentityNetwork()
    for name, points, chip, embedding in zip(
        *(dlib[k] for k in ("names", "points", "chips", "embedding")), strict=True
    ):
        image = cv2.cvtColor(cv2.imread(str(media / "source" / name)), cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        face = max(landmarker.detect(image), key=lambda face: face.box[2] - face.box[0])
        ours, same_points = (align(image, place) for place in (face.points, points.astype(np.float64)))
        assert cosine(network(ours[None])[0], embedding) >= OUR_CHIPS, name
        assert cosine(network(same_points[None])[0], embedding) >= OWN_CHIPS, name
        assert np.abs(same_points.astype(int) - chip)[20:130, 20:130].mean() < 5, name
