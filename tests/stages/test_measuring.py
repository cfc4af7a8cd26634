"""Parts of measuring a pair that need no job."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from lp_ray.contract.options import PairOptions
from lp_ray.media.facts import MediaFacts
from lp_ray.motion.performance_io import read_performance
from lp_ray.motion.performed import frames_of, header_of
from lp_ray.motion.template import TemplateReader, write_template
from lp_ray.stages.measuring.asked import moves
from lp_ray.stages.measuring.driving import repeats_shown, template_repeats
from lp_ray.stages.measuring.expected import ExpectedRows
from lp_ray.stages.measuring.pair import _pair_frames


def test_a_frame_repeats_the_one_before_if_nothing_new_was_shown_between() -> None:
    """Forwards, backwards, over jumps, across two pieces, and where the same driving frame is shown again."""
    repeated = np.array([False, False, True, True, False, True])

    def said(*shown: int, before: int | None = None) -> list[bool]:
        return repeats_shown(repeated, np.array(shown), before).tolist()

    assert said(0, 1, 2, 3, 4, 5) == [False, False, True, True, False, True]
    assert said(5, 4, 3, 2, 1, 0) == [False, True, False, True, True, False]
    assert said(1, 3, 5) == [False, True, False] and said(0, 0) == [False, True]
    assert said(3, 4, before=2) == [True, False]


def test_a_performance_that_rests_lets_its_result_rest(tmp_path: Path) -> None:
    """0.4 s of turning, then nothing: only there a result may stand still. Who cares for a thousandth of a smile?"""
    made = read_performance(b"# fps=25\ntime,head_yaw,smile\n0,0,0\n0.4,20,0\n2,20,0.0015\n")
    header = header_of(made, made.n_frames)
    write_template(tmp_path / "t.npz", header, [frames_of(made, 0, 20), frames_of(made, 20, made.n_frames)])
    template = TemplateReader(tmp_path / "t.npz")
    still = template_repeats(template, np.arange(made.n_frames), None)
    assert not still[:11].any() and still[11:].all()
    assert template_repeats(template, np.array([12, 13, 5, 5]), 11).tolist() == [True, True, False, True]
    assert template_repeats(template, np.array([3]), None).tolist() == [False]


@pytest.mark.parametrize(
    ("driving", "followed", "itself"),
    [
        ({}, [0, 1, 2], True),
        ({}, [0, 0, 1], False),
        ({"start_s": 2.0}, [0, 1, 2], False),
        ({"face": "1"}, [0, 1, 2], False),
        ({"version": "2"}, [0, 1, 2], False),
    ],
)
def test_a_video_is_held_against_itself_only_face_by_face_and_moment_by_moment(
    driving: dict[str, Any], followed: list[int], itself: bool
) -> None:
    source = {"uri": "file:///a.mp4", "version": "1", "face": "0"}
    row = {**source, "start_s": None, **driving}
    work = SimpleNamespace(source=SimpleNamespace(**source, is_video=True), driving=SimpleNamespace(**row))
    rows = cast(ExpectedRows, SimpleNamespace(_work=work, _followed=np.array(followed)))
    assert ExpectedRows._is_itself(rows, np.arange(3)) is itself


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
        ({"weight_lip": 0.0, "weight_eyes": 0.0, "weight_exp": 0.0}, set()),
        ({"weight_lip": 0.5}, {"lips", "eyes"}),
        ({"weight_exp": 1.5}, {"lips", "eyes"}),
        ({"weight_pose": 0.0, "head_yaw": 9.0}, {"lips", "eyes", "expression"}),
        ({"smile": 1.0}, {"lips", "eyes"}),
        ({"lip_ratio": 0.3}, {"eyes"}),
        ({"eye_ratio": 0.3}, {"lips"}),
        ({"blink": 1.0}, {"lips"}),
    ],
)
def test_what_the_driving_moves(options: dict[str, Any], moved: set[str]) -> None:
    """Only there a result is held against its driving."""
    assert {part for part, moves_it in moves(PairOptions(**options)).items() if moves_it} == moved
