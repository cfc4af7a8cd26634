"""Edits' promises apart from the reference's numbers (those are in tests/golden)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lp_ray.base.errors import UnsupportedError
from lp_ray.contract.edits import CONTROLS, make_edits
from lp_ray.motion.editing import Edit, edit_source, make_edit, ratio_delta, silenced, video_lips
from lp_ray.motion.keypoints import rotation
from lp_ray.motion.records import DrivingMotion, SourceMotion
from lp_ray.motion.smoothing import smooth
from lp_ray.motion.transfer import TransferOptions, transfer
from tests.motion.test_transfer import HEADS, N, _frames

F32 = NDArray[np.float32]

PLAIN = [control for control in CONTROLS if control.neutral is not None and control.name != "blink"]
"""Controls that need no heads."""


def _picture(seed: int = 1, **angles: float) -> SourceMotion:
    frames = _frames(seed, 1)
    if angles:
        frames["R"] = rotation(*(np.array([angles[name]], np.float32) for name in ("pitch", "yaw", "roll")))
    return SourceMotion.from_frames(frames, False)


def _edit(**values: float | list[float] | NDArray[np.floating]) -> Edit:
    edit = make_edit({name: np.asarray(value) for name, value in values.items()})
    assert edit is not None
    return edit


edits = st.dictionaries(st.sampled_from([c.name for c in CONTROLS]), st.floats(0, 1), min_size=1).map(
    lambda shares: {c.name: c.low + shares[c.name] * (c.high - c.low) for c in CONTROLS if c.name in shares}
)
"""Any controls, anywhere in their ranges."""


def test_the_neutral_edit_is_the_identity() -> None:
    """Neutral values make no edit at all, and a source without one keeps its keypoints to the bit."""
    neutral = {control.name: control.neutral for control in CONTROLS}
    assert make_edit(make_edits(neutral, "test")) is None
    source = _picture()
    np.testing.assert_array_equal(edit_source(source, None, HEADS), source.x_s)
    exactly = _edit(**{control.name: control.neutral for control in PLAIN}, blink=0)
    np.testing.assert_allclose(edit_source(source, exactly, HEADS, stitching=False), source.x_s, atol=1e-6)


@given(edits)
def test_a_driving_that_does_not_move_leaves_the_edit_alone(values: dict[str, float]) -> None:
    """On top of no motion an edit gives what it gives without a driving."""
    source, edit = _picture(), make_edit(make_edits(values, "test"))
    still = DrivingMotion.from_frames(_frames(7, 1), False).take(np.zeros(3, np.intp))
    for stitching in (True, False):
        options = TransferOptions(flag_stitching=stitching)
        driven = transfer(source, still, still.take(slice(0, 1)), HEADS, options, edit=edit)
        alone = edit_source(source, edit, HEADS, stitching)
        if edit is None and stitching:  # a driven face is stitched even where it does not move
            alone = HEADS.stitch(source.x_s, source.x_s)
        np.testing.assert_allclose(driven, np.broadcast_to(alone, driven.shape), atol=2e-5)


@given(edits, st.lists(st.integers(0, N), min_size=1, max_size=3).map(sorted))
def test_a_cut_makes_no_difference(values: dict[str, float], cuts: list[int]) -> None:
    """Curves of edits on top of a clip: keypoints of pieces are those of the whole, bit for bit."""
    ramp = np.linspace(0, 1, N)
    edit = _edit(**{name: value * ramp for name, value in values.items()})
    source, driving = _picture(), DrivingMotion.from_frames(_frames(2, N), False)
    reference = driving.take(slice(0, 1))
    whole = transfer(source, driving, reference, HEADS, TransferOptions(), edit=edit)
    ends = [0, *cuts, N]
    for start, stop in itertools.pairwise(ends):
        if start < stop:
            at = slice(start, stop)
            piece = transfer(source, driving.take(at), reference, HEADS, TransferOptions(), edit=edit.take(at))
            np.testing.assert_allclose(piece, whole[at], atol=1e-6)


def test_on_top_of_a_driving_edits_are_added() -> None:
    """Expression and zoom of the edit, and its turn before the driving's."""
    source, driving = _picture(pitch=4, yaw=10, roll=-3), DrivingMotion.from_frames(_frames(2, N), False)
    reference = driving.take(slice(0, 1))
    options = TransferOptions(flag_stitching=False)
    edit = _edit(smile=0.8, head_z=1.1, head_yaw=-20, lip_ratio=0.3)
    R_edit = rotation(np.array([4.0]), np.array([-10.0]), np.array([-3.0]))
    R = (R_edit @ source.R.transpose(0, 2, 1)) @ (driving.R @ reference.R.transpose(0, 2, 1) @ source.R)
    exp = source.exp + driving.exp - reference.exp + edit.exp
    scale = 1.1 * source.scale * driving.scale / reference.scale
    t = (source.t + driving.t - reference.t) * np.array([1, 1, 0], np.float32)
    expected = scale[:, None] * (source.kp @ R + exp) + t[:, None] + ratio_delta(source, edit, HEADS, N)
    driven = transfer(source, driving, reference, HEADS, options, edit=edit)
    np.testing.assert_allclose(driven, expected, atol=1e-4)


@given(st.sampled_from(PLAIN), st.floats(0, 1))
def test_controls_leave_each_other_alone(control: object, share: float) -> None:
    """Two controls together move by the sum of what each does to the expression; signs have their own sides."""
    value = control.low + share * (control.high - control.low)
    one, other = _edit(**{control.name: value}), _edit(wink=20.0, gaze_y=-10.0)
    both = _edit(**{"wink": 20.0, "gaze_y": -10.0, control.name: value})
    if control.name not in ("wink", "gaze_y"):
        np.testing.assert_allclose(both.exp, one.exp + other.exp, atol=1e-7)


def test_a_turn_is_added_to_the_sources_angles() -> None:
    source = _picture(pitch=5, yaw=-12, roll=8)
    edit = _edit(head_pitch=-3, head_yaw=20, head_roll=2)
    R = rotation(np.array([2.0]), np.array([8.0]), np.array([10.0]))
    expected = source.scale[:, None] * (source.kp @ R + source.exp) + (source.t * [1, 1, 0])[:, None]
    np.testing.assert_allclose(edit_source(source, edit, HEADS, stitching=False), expected, atol=1e-5)


def test_a_blink_closes_from_as_eyes_are_to_shut() -> None:
    """0 adds nothing, so that a curve has no step; 1 wants a ratio of 0; of a wanted ratio it leaves its share."""
    source = _picture()
    own = source.eye_ratio.mean(1, keepdims=True)

    def head(wanted: F32) -> F32:
        return HEADS.eye_delta(source.x_s, np.concatenate([source.eye_ratio, wanted], 1))

    delta = ratio_delta(source, _edit(blink=[0.0, 1e-4, 1.0]), HEADS, 3)
    np.testing.assert_array_equal(delta[0], 0)
    assert np.abs(delta[1]).max() < 1e-4
    np.testing.assert_allclose(delta[2], (head(0 * own) - head(own))[0], atol=1e-6)
    wanted = ratio_delta(source, _edit(blink=0.75, eye_ratio=0.4), HEADS, 1)
    np.testing.assert_allclose(wanted, head(np.full((1, 1), 0.1, np.float32)), atol=1e-6)


def test_wanted_lips_add_what_their_head_says() -> None:
    """From as far apart as the source's are, on top of what the eyes' head says."""
    source = _picture()
    wanted = np.array([[0.3], [0.1]], np.float32)
    pair = np.concatenate([np.broadcast_to(source.lip_ratio, (2, 1)), wanted], 1)
    lips = HEADS.lip_delta(np.broadcast_to(source.x_s, (2, *source.x_s.shape[1:])), pair)
    np.testing.assert_allclose(ratio_delta(source, _edit(lip_ratio=[0.3, 0.1]), HEADS, 2), lips, atol=1e-6)
    eyes = ratio_delta(source, _edit(eye_ratio=0.4), HEADS, 2)
    both = ratio_delta(source, _edit(lip_ratio=[0.3, 0.1], eye_ratio=0.4), HEADS, 2)
    np.testing.assert_allclose(both, eyes + lips, atol=1e-6)
    assert np.abs(lips).max() > 1e-3 and np.abs(eyes).max() > 1e-3


def test_ratios_need_landmarks() -> None:
    blind = replace(_picture(), eye_ratio=None, lip_ratio=None)
    for values in ({"eye_ratio": 0.2}, {"blink": 0.5}, {"lip_ratio": 0.2}):
        with pytest.raises(UnsupportedError, match="needs the source's landmarks"):
            edit_source(blind, _edit(**values), HEADS)
    assert np.isfinite(edit_source(blind, _edit(smile=1.0), HEADS)).all()


def test_retargeting_of_the_driving_keeps_the_edit() -> None:
    """Relative retargeting drops the driving's motion, by design there, but not what was asked for by hand."""
    source, driving = _picture(), DrivingMotion.from_frames(_frames(2, N), False)
    options = TransferOptions(flag_lip_retargeting=True, flag_stitching=False)
    without, with_it = (
        transfer(source, driving, driving.take(slice(0, 1)), HEADS, options, edit=edit)
        for edit in (None, _edit(smile=1.0))
    )
    moved = with_it - without
    np.testing.assert_allclose(moved, np.broadcast_to(source.scale * _edit(smile=1.0).exp, moved.shape), atol=1e-6)


def test_animals_have_no_edits() -> None:
    driving = DrivingMotion.from_frames(_frames(2, 1), False)
    with pytest.raises(UnsupportedError, match="this is an animal"):
        transfer(_picture(), driving, driving, HEADS, TransferOptions(variant="animal"), edit=_edit(smile=1.0))


def test_curves_of_two_lengths_are_no_edit() -> None:
    with pytest.raises(ValueError, match="curves of 3, 4 frames"):
        _edit(smile=[0, 0, 0], wink=[0, 0, 0, 0], brow=1)


def test_lips_of_a_video_are_smoothed_over_all_of_it() -> None:
    video = SourceMotion.from_frames(_frames(3, N), True)
    wanted = np.full((N, 1), 0.4, np.float32)
    raw = HEADS.lip_delta(video.x_s, np.concatenate([video.lip_ratio, wanted], 1))
    np.testing.assert_array_equal(video_lips(video, 0.4, HEADS, 1e-3), smooth(raw, 1e-3))
    np.testing.assert_array_equal(video_lips(video, wanted, HEADS), video_lips(video, 0.4, HEADS))
    assert np.abs(np.diff(video_lips(video, 0.4, HEADS, 1e-2), axis=0)).max() < np.abs(np.diff(raw, axis=0)).max()


def test_silence_keeps_eyes_and_pose() -> None:
    """Only what the eyes do and how the head stands tells frames of a silenced video apart."""
    video = SourceMotion.from_frames(_frames(3, N), True)
    other = replace(video, exp=video.exp + 1)
    kept = [11, 13, 15, 16, 18]
    rest = np.setdiff1d(np.arange(21), kept)
    np.testing.assert_array_equal(silenced(video)[:, rest], silenced(other)[:, rest])
    moved = silenced(other)[:, kept] - silenced(video)[:, kept]
    np.testing.assert_allclose(moved, np.broadcast_to(video.scale[:, None], moved.shape), atol=1e-5)
