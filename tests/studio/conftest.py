"""A studio for all tests of this folder, and a short clip to give it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lp_ray.engine.protocol import EngineSpec
from lp_ray.studio.serve import Served, serve
from lp_ray.studio.shared import Place
from tests.generated import Generated
from tests.studio.serving import UPLOAD_BYTES, small


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("studio")
    for name in ("out", "scratch"):
        (folder / name).mkdir()
    return Place(folder / "out", folder / "scratch", EngineSpec("preview"), ("engine=preview",))


@pytest.fixture(scope="package")
def served(place: Place) -> Iterator[Served]:
    studio = serve(place, "127.0.0.1", 0, None, UPLOAD_BYTES)
    yield studio
    studio.close()


@pytest.fixture(scope="package")
def clip(tmp_path_factory: pytest.TempPathFactory, generated: Generated) -> Path:
    return small(tmp_path_factory.mktemp("clip") / "clip.mp4", generated.silent_clip)
