"""The landmarker on models that are made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from lp_ray.face.insightface.landmarker import InsightFaceLandmarker
from tests.face.insightface.models import model_files, write_models


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def landmarker(folder: Path) -> InsightFaceLandmarker:
    return InsightFaceLandmarker(model_files(folder), "cpu")
