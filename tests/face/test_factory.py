"""The job's settings give the right landmarker; it is identified without loading it, or refused with a remedy."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lp_ray import storage
from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.face.factory import LandmarkerSpec, create_landmarker, identify_landmarker
from lp_ray.face.insightface.files import FILES, POINTS_203
from lp_ray.models.cache import CACHE_VARIABLE
from lp_ray.models.store import WeightStore
from tests.face.insightface.drawn import Drawn, draw
from tests.face.insightface.models import stock_store, write_models

HEAVY = {"onnxruntime", "insightface", "torch"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    return stock_store(str(tmp_path / "store"), write_models(tmp_path / "models"))


def _imported(code: str, *arguments: str) -> list[str]:
    """Run code in a new Python process and return which of the heavy packages it imported."""
    code = f"import sys; {code}; print(*sorted({HEAVY} & sys.modules.keys()))"
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_mediapipe_is_the_default_and_needs_none_of_the_heavy_packages() -> None:
    code = "from lp_ray.face.factory import *; create_landmarker(LandmarkerSpec())"
    assert _imported(f"{code}; identify_landmarker(LandmarkerSpec())") == []
    identity, landmarker = identify_landmarker(LandmarkerSpec()), create_landmarker(LandmarkerSpec())
    assert (identity.name, identity.n_points) == ("mediapipe", 478)
    assert (landmarker.name, landmarker.digest, landmarker.n_points) == (identity.name, identity.digest, 478)


def test_insightface_is_identified_by_the_lock_alone(store: WeightStore, cache: Path) -> None:
    """Nothing is fetched or imported on the driver, and the actors' digest, from the files, is the same."""
    spec = LandmarkerSpec("insightface", store.uri)
    identity = identify_landmarker(spec)
    assert not cache.exists()
    code = "from lp_ray.face.factory import *; identify_landmarker(LandmarkerSpec('insightface', sys.argv[1]))"
    assert _imported(code, store.uri) == []
    landmarker = create_landmarker(pickle.loads(pickle.dumps(spec)))
    assert (landmarker.name, landmarker.digest, landmarker.n_points) == (identity.name, identity.digest, 203)
    face = Drawn(264, 200, 100, 200, 55)
    (found,) = landmarker.detect(draw(512, 512, face))
    assert np.abs(found.points - face.points(203)).max() < 0.3


def test_a_store_on_s3(s3_bucket: str, tmp_path: Path, cache: Path) -> None:
    store = stock_store(f"s3://{s3_bucket}/weights", write_models(tmp_path / "models"))
    spec = LandmarkerSpec("insightface", store.uri)
    assert create_landmarker(spec).digest == identify_landmarker(spec).digest
    assert sorted(file.name for file in cache.rglob("*.onnx")) == ["2d106det.onnx", "det_10g.onnx", "landmark.onnx"]


def test_other_models_are_another_landmarker(store: WeightStore, tmp_path: Path) -> None:
    turned = stock_store(str(tmp_path / "turned"), write_models(tmp_path / "more", tilt_106=5))
    one, other = (identify_landmarker(LandmarkerSpec("insightface", place.uri)) for place in (store, turned))
    assert one.digest != other.digest
    assert one == identify_landmarker(LandmarkerSpec("insightface", store.uri, "cuda"))


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_in_a_model_is_named(store: WeightStore, cache: Path, name: str) -> None:
    data = bytearray(store.read(name))
    data[len(data) // 2] ^= 1
    storage.put_bytes(storage.join(store.uri, name), bytes(data))
    with pytest.raises(WeightsError, match=f"{name} is not what came in"):
        create_landmarker(LandmarkerSpec("insightface", store.uri))


def test_a_store_without_the_models_says_how_to_add_them(store: WeightStore, tmp_path: Path) -> None:
    rest = ((name, store.read(name), store.entry(name)) for name in FILES if name != POINTS_203)
    WeightStore(str(tmp_path / "part")).write(rest)
    with pytest.raises(WeightsError, match=rf"detector\.weights: .* has no {POINTS_203}: .* lp-ray weights"):
        identify_landmarker(LandmarkerSpec("insightface", str(tmp_path / "part")))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (LandmarkerSpec("dlib"), "detector='dlib' must be one of mediapipe, insightface"),
        (LandmarkerSpec("insightface", "x", "tpu"), "detector.device='tpu' must be cpu, cuda or cuda:N"),
        (LandmarkerSpec("mediapipe", device="cuda"), "detector.device='cuda': the mediapipe detector runs on cpu"),
        (LandmarkerSpec("insightface"), "detector.weights: .*lp-ray weights pull store=FOLDER"),
        (
            LandmarkerSpec("insightface", "/nowhere"),
            "detector.weights: .*lp-ray weights pull store=file:///nowhere",
        ),
    ],
)
def test_what_cannot_be_had_is_refused_before_any_work(spec: LandmarkerSpec, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        identify_landmarker(spec)
