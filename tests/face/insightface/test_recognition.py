"""ArcFace by a small model of the official one's inputs and outputs: what is cut, and how colours arrive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.base.errors import WeightsError
from lp_ray.face.insightface.files import ARCFACE, POINTS_106, arcface_name
from lp_ray.face.insightface.recognition import EYES, MOUTH, NOSE_TIP, ArcFace, five_points
from lp_ray.models.store import WeightStore
from tests.face.insightface.models import stock_store

TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""Where insightface puts eyes, nose and mouth in a picture of 112 (its published alignment)."""


@pytest.fixture(scope="module")
def store(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> WeightStore:
    return stock_store(str(tmp_path_factory.mktemp("store")), folder, [ARCFACE])


def face_at(five: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 478 landmarks with the five points where they are asked for."""
    points = np.zeros((478, 3))
    right, left = (list(corners) for corners in EYES)
    points[left, :2], points[right, :2], points[NOSE_TIP, :2] = five[0], five[1], five[2]
    points[list(MOUTH), :2] = five[3:]
    return points


def test_five_points_are_the_picture_s_left_first() -> None:
    assert np.allclose(five_points(face_at(TEMPLATE)), TEMPLATE)


def test_a_face_that_stands_as_it_should_goes_in_as_it_is(store: WeightStore) -> None:
    """RGB, (value - 127.5) / 127.5; the model's weights are known, so its answer is computed here."""
    picture = np.random.default_rng(1).integers(0, 256, (112, 112, 3), np.uint8)
    found = ArcFace.of_store(store)([picture], face_at(TEMPLATE)[None])
    means = ((picture.astype(np.float64) - 127.5) / 127.5).reshape(8, 14, 8, 14, 3).mean((1, 3))
    wanted = means.transpose(2, 0, 1).ravel() @ np.random.default_rng(512).normal(size=(192, 512)).astype(np.float32)
    assert found.shape == (1, 512) and np.allclose(found[0], wanted, atol=2e-3 * np.abs(wanted).max())


def test_size_and_place_of_a_face_do_not_matter_its_company_neither(store: WeightStore) -> None:
    network = ArcFace.of_store(store)
    small = np.random.default_rng(2).integers(0, 256, (14, 14, 3), np.uint8)
    picture = np.kron(small, np.ones((8, 8, 1), np.uint8))
    large = np.zeros((400, 500, 3), np.uint8)
    large[100:324, 200:424] = np.kron(small, np.ones((16, 16, 1), np.uint8))
    faces = np.stack([face_at(TEMPLATE), face_at(TEMPLATE * 2 + (200.5, 100.5))])
    one, other = network([picture, large], faces)
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.999
    assert np.array_equal(network([large], faces[1:])[0], other)


def test_another_model_under_its_name_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "shared").mkdir(parents=True)
    (other / ARCFACE).write_bytes((folder / POINTS_106).read_bytes())
    with pytest.raises(WeightsError, match="w600k_r50"):
        ArcFace.of_store(stock_store(str(tmp_path / "store"), other, [ARCFACE]))


def test_it_is_known_by_its_hash(store: WeightStore) -> None:
    assert arcface_name(store) == f"w600k_r50:{store.entry(ARCFACE).sha256[:16]}"
