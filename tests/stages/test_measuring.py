"""Parts of measuring a pair that need no job."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from lp_ray.contract.options import PairOptions
from lp_ray.media.facts import MediaFacts
from lp_ray.quality.tracks import face_tracks
from lp_ray.stages.measuring.asked import moves
from lp_ray.stages.measuring.driving import DrivingTracks
from lp_ray.stages.measuring.pair import _pair_frames


def test_a_frame_repeats_the_one_before_if_nothing_new_was_shown_between() -> None:
    """Forwards, backwards, over jumps, across two pieces, and where the same driving frame is shown again."""
    repeated = np.array([False, False, True, True, False, True])
    driving = DrivingTracks(face_tracks(np.full((6, 478, 3), np.nan), 9, 9), np.zeros((6, 52), np.float32), repeated)

    def said(*shown: int, before: int | None = None) -> list[bool]:
        return driving.repeats(np.array(shown), before).tolist()

    assert said(0, 1, 2, 3, 4, 5) == [False, False, True, True, False, True]
    assert said(5, 4, 3, 2, 1, 0) == [False, True, False, True, True, False]
    assert said(1, 3, 5) == [False, True, False] and said(0, 0) == [False, True]
    assert said(3, 4, before=2) == [True, False]


def test_a_gif_of_fewer_frames_shows_those_of_their_times() -> None:
    def shown(n: int, fps: Fraction | None, of: int, rate: int) -> list[int]:
        work = cast(Any, SimpleNamespace(n_frames=of, fps=Fraction(rate)))
        return _pair_frames(work, MediaFacts(n, 1, 1, 1, "", fps)).tolist()

    assert shown(4, Fraction(25), 4, 25) == [0, 1, 2, 3] and shown(1, None, 1, 25) == [0]
    assert shown(5, Fraction(50), 6, 60) == [0, 1, 3, 4, 5]
    assert shown(6, Fraction(50), 6, 60)[-1] == 5, "as many frames are the same frames"


@pytest.mark.parametrize(
    ("options", "moved"),
    [
        ({}, {"lips", "eyes", "expression"}),
        ({"animation_region": "lip"}, {"lips"}),
        ({"animation_region": "eyes"}, {"eyes"}),
        ({"animation_region": "pose"}, set()),
        ({"flag_eye_retargeting": True}, {"eyes"}),
        ({"flag_lip_retargeting": True, "flag_relative_motion": False}, {"lips", "eyes", "expression"}),
    ],
)
def test_what_the_driving_moves(options: dict[str, Any], moved: set[str]) -> None:
    """Only there a result is held against its driving."""
    assert {part for part, moves_it in moves(PairOptions(**options)).items() if moves_it} == moved
