"""What is refused before any work: missing and wrong files, devices that are not there; and the digest."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.face.insightface.files import DETECTOR, FILES, POINTS_106, POINTS_203
from lp_ray.face.insightface.identity import landmarker_digest
from lp_ray.face.insightface.landmarker import InsightFaceLandmarker
from lp_ray.face.insightface.sessions import check_providers, prepare_device
from tests.face.insightface.drawn import Drawn, draw
from tests.face.insightface.models import model_files, write_models

HAS_CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


def _refusal(folder: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        InsightFaceLandmarker(model_files(folder), "cpu")
    return str(caught.value)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_with_the_command(copy: Path, name: str) -> None:
    (copy / name).unlink()
    message = _refusal(copy)
    assert str(copy / name) in message
    assert "lp-ray weights pull" in message


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["empty", "text", "half", "a folder"])
def test_a_damaged_file_is_named(copy: Path, name: str, damage: str) -> None:
    raw = (copy / name).read_bytes()
    if damage == "a folder":
        (copy / name).unlink()
        (copy / name).mkdir()
    else:
        (copy / name).write_bytes({"empty": b"", "text": b"<html>404</html>", "half": raw[: len(raw) // 2]}[damage])
    assert str(copy / name) in _refusal(copy)


@pytest.mark.parametrize(("name", "other"), [(a, b) for a in FILES for b in FILES if a != b])
def test_a_model_in_anothers_place_is_named(copy: Path, folder: Path, name: str, other: str) -> None:
    shutil.copy(folder / other, copy / name)
    assert f"{copy / name}: not the model that belongs there" in _refusal(copy)


def test_another_number_of_points_is_refused(tmp_path: Path) -> None:
    message = _refusal(write_models(tmp_path, n_points=150))
    assert str(tmp_path / POINTS_203) in message
    assert "300 values where 406 belong" in message


@pytest.mark.skipif(HAS_CUDA, reason="onnxruntime offers CUDA here")
def test_cuda_that_onnxruntime_does_not_offer_is_refused(folder: Path) -> None:
    with pytest.raises(RefusedError, match=r"shadows `onnxruntime-gpu`.*pip install onnxruntime-gpu"):
        InsightFaceLandmarker(model_files(folder), "cuda")


def test_cuda_gives_the_points_of_the_cpu_or_is_refused(folder: Path, landmarker: InsightFaceLandmarker) -> None:
    """Never a session that is said to be on the GPU and is not: with the GPU build and no GPU it is refused too."""
    try:
        on_gpu = InsightFaceLandmarker(model_files(folder), "cuda")
    except RefusedError as error:
        assert "device=cuda" in str(error)
        return
    image = draw(512, 512, Drawn(264, 200, 100, 200, 55))
    assert on_gpu.digest == landmarker.digest
    for one, other in zip(on_gpu.detect(image), landmarker.detect(image), strict=True):
        assert np.abs(one.points - other.points).max() < 1e-2


def test_a_session_that_fell_back_to_the_cpu_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"runs on CPUExecutionProvider.*nvidia-smi"):
        check_providers(["CPUExecutionProvider"], "cuda")
    check_providers(["CUDAExecutionProvider", "CPUExecutionProvider"], "cuda")
    check_providers(["CPUExecutionProvider"], "cpu")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(RefusedError, match="'mps' must be cpu or cuda"):
        prepare_device("mps")


def test_the_digest_is_that_of_the_files(copy: Path, folder: Path) -> None:
    """The same wherever they lie, another when any of them is, and known without loading them."""
    digest = InsightFaceLandmarker(model_files(folder), "cpu").digest
    assert digest == landmarker_digest(model_files(copy).hashes())
    seen = {digest}
    for name in (DETECTOR, POINTS_106, POINTS_203):
        model = onnx.load(copy / name)
        model.doc_string = "another version"
        onnx.save(model, copy / name)
        seen.add(landmarker_digest(model_files(copy).hashes()))
    assert len(seen) == 4
