"""Weights of regions: between the source and the driving, exact at both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.contract.options import PairOptions
from lp_ray.motion.keypoints import rotation
from lp_ray.motion.records import DrivingMotion, Placement, SourceMotion
from lp_ray.motion.region_weights import EVEN, RegionWeights
from lp_ray.motion.regions import EYES, LIP
from lp_ray.motion.transfer import TransferOptions, carry, transfer
from tests.motion.test_transfer import HEADS, N, _frames

DECLARED = PairOptions.__dataclass_fields__["weight_lip"].metadata
weights = st.floats(DECLARED["low"], DECLARED["high"])


def _pair(is_video: bool = False) -> tuple[SourceMotion, DrivingMotion]:
    return SourceMotion.from_frames(_frames(1, N if is_video else 1), is_video), DrivingMotion.from_frames(
        _frames(2, N), False
    )


def _placements() -> tuple[Placement, Placement]:
    source, driving = _pair()
    return source.placement, Placement(driving.scale, driving.R, driving.exp, driving.t)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("is_video", [True, False])
def test_all_ones_are_animation_region_all(relative: bool, is_video: bool) -> None:
    """To the bit, and so are ones that were named."""
    source, driving = _pair(is_video)
    options = TransferOptions(flag_relative_motion=relative)
    reference = driving.take(slice(0, 1))
    plain, named = (
        transfer(source, driving, reference, HEADS, replace(options, region_weights=each))
        for each in (EVEN, RegionWeights(1, 1.0, 1, 1.0))
    )
    np.testing.assert_array_equal(named, plain)


def test_zeros_are_the_source() -> None:
    source, driving = _pair()
    none = TransferOptions(region_weights=RegionWeights(0, 0, 0, 0), flag_stitching=False)
    still = transfer(source, driving, driving.take(slice(0, 1)), HEADS, none)
    np.testing.assert_allclose(still, np.broadcast_to(source.x_s, still.shape), atol=1e-5)


@pytest.mark.parametrize(("region", "of"), [("lip", "lip"), ("eyes", "eyes"), ("exp", "exp")])
def test_one_region_alone(region: str, of: str) -> None:
    """One at 1 and the others at 0 is the reference's region; `exp` here is all but eyes and lips."""
    source, driving = _pair()
    reference = driving.take(slice(0, 1))
    options = TransferOptions(flag_stitching=False)
    nothing = dict.fromkeys(("pose", "eyes", "lip", "exp"), 0.0)
    weighed = transfer(
        source, driving, reference, HEADS, replace(options, region_weights=RegionWeights(**{**nothing, of: 1.0}))
    )
    theirs = transfer(source, driving, reference, HEADS, replace(options, animation_region=region))
    rows = {"lip": LIP, "eyes": EYES, "exp": ~(LIP | EYES)}[of]
    np.testing.assert_allclose(weighed[:, rows], theirs[:, rows], atol=1e-4)


@given(weights, weights, weights, weights)
def test_each_weight_moves_its_own(pose: float, eyes: float, lip: float, exp: float) -> None:
    own, moved = _placements()
    found = RegionWeights(pose, eyes, lip, exp).apply(own, moved)
    for mask, weight in ((EYES, eyes), (LIP, lip), (~(EYES | LIP), exp)):
        expected = own.exp[:, mask] + weight * (moved.exp - own.exp)[:, mask]
        np.testing.assert_allclose(found.exp[:, mask], expected, atol=1e-6)
    np.testing.assert_allclose(found.t, own.t + pose * (moved.t - own.t), atol=1e-6)
    np.testing.assert_allclose(found.scale, own.scale + pose * (moved.scale - own.scale), atol=1e-6)
    np.testing.assert_allclose(found.R @ found.R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (N, 3, 3)), atol=1e-5)


@given(st.floats(0, 1.5), st.floats(-60, 60))
def test_a_turn_about_one_axis_goes_its_share(weight: float, yaw: float) -> None:
    zero, turn = np.zeros(1, np.float32), np.array([yaw], np.float32)
    own, _moved = _placements()
    one = Placement(own.scale, rotation(zero, zero, zero), own.exp, own.t)
    other = Placement(own.scale, rotation(zero, turn, zero), own.exp, own.t)
    found = RegionWeights(pose=weight).apply(one, other)
    np.testing.assert_allclose(found.R, rotation(zero, np.float32(weight) * turn, zero), atol=1e-5)


def test_a_cut_makes_no_difference() -> None:
    source, driving = _pair(is_video=True)
    options = TransferOptions(region_weights=RegionWeights(0.5, 1.3, 0.2, 0.9))
    reference = driving.take(slice(0, 1))
    tracks = carry(source, driving, reference, options)
    whole = transfer(source, driving, reference, HEADS, options, tracks)
    for at in (slice(0, 5), slice(5, N)):
        piece = transfer(source.take(at), driving.take(at), reference, HEADS, options, tracks.take(at))
        np.testing.assert_allclose(piece, whole[at], atol=1e-6)
