"""Networks are loaded once for a pipeline, not once for each output."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lp_ray import LivePortraitPipeline
from lp_ray.base.errors import WeightsError
from lp_ray.base.registry import Registry
from lp_ray.engine.factory import ENGINES
from lp_ray.face.factory import DETECTORS
from lp_ray.runtime.loaded import Loaded
from tests.generated import Generated


@pytest.fixture
def created(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the LivePortrait engine and the landmarker were created."""
    found: Counter[str] = Counter()

    def count(plugins: Registry[Any], name: str) -> None:
        kind = type(plugins.get(name))
        create = kind.create

        def counted(self: Any, spec: Any) -> Any:
            found[name] += 1
            return create(self, spec)

        monkeypatch.setattr(kind, "create", counted)

    # Not the preview engine: it is so small that it is created to be identified.
    count(ENGINES, "liveportrait")
    count(DETECTORS, "mediapipe")
    return found


@pytest.mark.slow
def test_a_pipeline_loads_its_networks_once(created: Counter[str], generated: Generated, tmp_path: Path) -> None:
    """Over two outputs, the first with motion to extract, and two calls of `frames`."""
    pipeline = LivePortraitPipeline("seeded", size="tiny")
    pipeline.animate(generated.portrait, generated.silent_clip, tmp_path / "one", end_s=0.1)
    pipeline.animate(generated.portrait, "none", tmp_path / "two", smile=0.5)
    made = [next(iter(pipeline.frames(generated.portrait, "none", smile=smile))) for smile in (0.2, 0.8)]
    assert created == {"liveportrait": 1, "mediapipe": 1} and not np.array_equal(*made)


def test_what_was_loaded_goes_when_its_weights_are_others() -> None:
    """Of several specs each is kept; a store that was filled anew is read again; a failure is not kept."""
    digests, made = {"a": 1, "b": 1}, []

    def create(spec: str) -> tuple[str, int]:
        made.append(spec)
        if digests[spec] < 0:
            raise WeightsError("damaged")
        return spec, digests[spec]

    load = Loaded(create, digests.__getitem__)
    assert [load(spec) for spec in "abab"] == [("a", 1), ("b", 1)] * 2 and made == ["a", "b"]
    digests["a"] = -1
    with pytest.raises(WeightsError):
        load("a")
    digests["a"] = 2
    assert [load("a"), load("b"), load("a")] == [("a", 2), ("b", 1), ("a", 2)] and made == ["a", "b", "a", "a"]
