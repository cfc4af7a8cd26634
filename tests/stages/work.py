"""Pairs and spans for tests of stages, with what a test does not care about filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lp_ray.contract.options import PairOptions
from lp_ray.plan.work import DrivingRef, PairWork, SourceRef

SOURCE = SourceRef("s", "file:///s.png", "large-small", None, "human")
DRIVING = DrivingRef("d", "file:///d.mp4", "large-small", None, None)
WORK = PairWork(
    pair_id="p",
    source=SOURCE,
    driving=DRIVING,
    template_key="t",
    source_template="",
    options=PairOptions(),
    fps_numerator=25,
    fps_denominator=1,
    n_frames=6,
    chunk=2,
    format="mp4",
)


def work(**changes: Any) -> PairWork:
    """Return a pair of six frames at 25 frames a second, in chunks of two, with some fields changed."""
    return replace(WORK, **changes)
