"""X-Pose as a setting: what is refused, and what changes its digest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.face.factory import LandmarkerSpec, identify_landmarker
from lp_ray.face.xpose.identity import WEIGHTS, prompts_name
from lp_ray.models.store import LockEntry, WeightStore


def entry(name: str, data: bytes, fill: str) -> tuple[str, bytes, LockEntry]:
    return name, data, LockEntry(fill * 64, len(data), name, fill * 64, len(data), "other", f"terms of {name}")


@pytest.fixture
def spec(tmp_path: Path) -> LandmarkerSpec:
    """A store whose lock is all that is read."""
    store = WeightStore(str(tmp_path))
    store.write(
        iter([entry(WEIGHTS, b"w", "a"), entry(prompts_name(9), b"9", "b"), entry(prompts_name(68), b"6", "c")])
    )
    return LandmarkerSpec("xpose", str(tmp_path))


def test_the_digest_follows_weights_points_and_threshold_but_not_the_device(spec: LandmarkerSpec) -> None:
    first = identify_landmarker(spec)
    assert first.licences == (f"terms of {WEIGHTS}", f"terms of {prompts_name(9)}")
    others = [replace(spec, settings=(("points", 68),)), replace(spec, settings=(("min_score", 0.2),))]
    assert len({first.digest, *(identify_landmarker(other).digest for other in others)}) == 3
    assert identify_landmarker(replace(spec, device="cuda")).digest == first.digest
    WeightStore(spec.weights).write(iter([entry(WEIGHTS, b"v", "d")]))
    assert identify_landmarker(spec).digest != first.digest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"points": 7}, r"xpose\.points=7 must be one of 9, 68"),
        ({"min_score": 1.0}, r"xpose\.min_score=1\.0 must be a number, at least 0 and under 1"),
        ({"min_score": float("nan")}, r"xpose\.min_score=nan must be"),
    ],
)
def test_settings_out_of_range_are_refused(spec: LandmarkerSpec, change: dict[str, object], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        identify_landmarker(replace(spec, settings=tuple(change.items())))


def test_missing_weights_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"xpose\.weights: .*lp-ray weights pull"):
        identify_landmarker(LandmarkerSpec("xpose"))
    store = WeightStore(str(tmp_path))
    store.write(iter([entry(WEIGHTS, b"w", "a")]))
    with pytest.raises(WeightsError, match=r"has no animal/prompts_9\.npz.*variants=\[human,animal\]"):
        identify_landmarker(LandmarkerSpec("xpose", str(tmp_path)))
