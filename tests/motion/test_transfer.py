"""Motion transfer's promises apart from the reference's numbers (those are in tests/golden)."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lp_ray.base.errors import TemplateError, UnsupportedError
from lp_ray.motion.keypoints import hull_multiplier, keypoints, rotation
from lp_ray.motion.limits import TurnLimits
from lp_ray.motion.neutral import NEUTRAL_LIP
from lp_ray.motion.records import DrivingMotion, SourceMotion
from lp_ray.motion.reference import neutral_face
from lp_ray.motion.regions import EYES, LIP, RULES
from lp_ray.motion.transfer import TransferOptions, asked_motion, carry, transfer

F32 = NDArray[np.float32]
N = 12


class LinearHeads:
    """One seeded matrix for each head: any function of its inputs does for these promises."""

    def __init__(self) -> None:
        random = np.random.default_rng(5)
        self.matrices = {
            name: random.normal(0, 0.05, (width, 63)).astype(np.float32)
            for name, width in (("stitch", 126), ("eye", 66), ("lip", 65))
        }

    def _apply(self, name: str, *parts: F32) -> F32:
        rows = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
        product: F32 = np.einsum("ni,io->no", rows, self.matrices[name])
        return product.reshape(-1, 21, 3)

    def stitch(self, x_s: F32, x_d: F32) -> F32:
        return x_d + self._apply("stitch", x_s, x_d)

    def eye_delta(self, x_s: F32, ratios: F32) -> F32:
        return self._apply("eye", x_s, ratios)

    def lip_delta(self, x_s: F32, ratios: F32) -> F32:
        return self._apply("lip", x_s, ratios)


HEADS = LinearHeads()


def _frames(seed: int, n: int) -> dict[str, F32]:
    random = np.random.default_rng(seed)
    values: dict[str, NDArray[Any]] = {
        "scale": random.uniform(1.0, 1.4, (n, 1)),
        "R": rotation(*random.uniform(-20, 20, (3, n)).astype(np.float32)),
        "exp": random.normal(0, 0.03, (n, 21, 3)),
        "t": random.normal(0, 0.05, (n, 3)),
        "kp": random.normal(0, 0.3, (n, 21, 3)),
        "eye_ratio": random.uniform(0.05, 0.4, (n, 2)),
        "lip_ratio": random.uniform(0.0, 0.3, (n, 1)),
    }
    arrays = {name: value.astype(np.float32) for name, value in values.items()}
    for array in arrays.values():
        array.setflags(write=False)  # whoever mutates an input fails
    return arrays


def _source(is_video: bool) -> SourceMotion:
    return SourceMotion.from_frames(_frames(1, N if is_video else 1), is_video)


def _driving(n: int = N) -> DrivingMotion:
    return DrivingMotion.from_frames(_frames(2, n), is_still=n == 1)


def _options(**values: Any) -> TransferOptions:
    return TransferOptions(**values)


COMBINATIONS = [
    _options(
        animation_region=region,
        flag_relative_motion=relative,
        flag_normalize_lip=True,
        flag_source_video_eye_retargeting=True,
        flag_eye_retargeting=retarget,
        flag_lip_retargeting=retarget,
        turn_limits=TurnLimits(8, 8, 8),
    )
    for region, relative, retarget in product(RULES, (True, False), (True, False))
]


@pytest.mark.parametrize("is_video", [False, True])
@pytest.mark.parametrize("still", [False, True])
def test_any_cut_into_chunks_gives_the_same_keypoints(is_video: bool, still: bool) -> None:
    """Chunks of 5, with the whole pair's reference and tracks, equal one call over all frames."""
    source, driving = _source(is_video), _driving(1 if still else N)
    reference = driving.take(slice(3, 4) if not still else slice(0, 1))
    for options in COMBINATIONS:
        whole = transfer(source, driving, reference, HEADS, options)
        tracks = carry(source, driving, reference, options)
        pieces = []
        for start in range(0, len(whole), 5):
            cut = slice(start, start + 5)
            part = driving if still else driving.take(cut)
            piece = source.take(cut) if is_video else source
            pieces.append(transfer(piece, part, reference, HEADS, options, tracks.take(cut)))
        np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6, err_msg=str(options))


@pytest.mark.parametrize("region", ["lip", "eyes"])
@pytest.mark.parametrize("is_video", [False, True])
@pytest.mark.parametrize("relative", [False, True])
def test_a_region_moves_its_own_keypoints_only(region: Any, is_video: bool, relative: bool) -> None:
    source, driving = _source(is_video), _driving()
    options = _options(animation_region=region, flag_relative_motion=relative, flag_stitching=False)
    x_d = transfer(source, driving, driving.take(slice(0, 1)), HEADS, options)
    moved = (np.abs(x_d - source.x_s).max(axis=(0, 2))) > 1e-5
    np.testing.assert_array_equal(moved, (LIP if region == "lip" else EYES).any(axis=1))


def test_the_reference_frame_gives_the_source_itself() -> None:
    """Relative motion from frame 7 leaves the source as it is in frame 7, and only there."""
    source, driving = _source(False), _driving()
    options = _options(flag_stitching=False)
    x_d = transfer(source, driving, driving.take(slice(7, 8)), HEADS, options)
    still = np.abs(x_d - source.x_s).max(axis=(1, 2)) < 1e-5
    assert still.nonzero()[0].tolist() == [7]


def test_multiplier_zero_keeps_the_source_and_two_doubles_its_motion() -> None:
    source, driving = _source(False), _driving()
    reference = driving.take(slice(0, 1))
    x_d = {
        m: transfer(source, driving, reference, HEADS, _options(driving_multiplier=m)) - source.x_s
        for m in (0.0, 1.0, 2.0)
    }
    np.testing.assert_allclose(x_d[0.0], 0, atol=1e-7)
    np.testing.assert_allclose(x_d[2.0], 2 * x_d[1.0], atol=1e-6)


def test_lip_normalisation_closes_open_lips_frame_by_frame() -> None:
    """Only source frames whose lips are at least 0.03 apart change, and these by the head's delta to closed lips."""
    source, driving = _source(True), _driving()
    ratio = np.array([0, 0.02, 0.029, 0.0299, 0.03, 0.0301, 0.031, 0.04, 0.2, 0.01, 0.3, 0.0], np.float32)[:, None]
    source = replace(source, lip_ratio=ratio)
    reference = driving.take(slice(0, 1))
    off, on = (transfer(source, driving, reference, HEADS, _options(flag_normalize_lip=flag)) for flag in (False, True))
    changed = np.abs(on - off).max(axis=(1, 2)) > 0
    assert changed.tolist() == [False] * 4 + [True] * 5 + [False, True, False]
    closed = HEADS.lip_delta(source.x_s, np.concatenate([ratio, np.zeros_like(ratio)], axis=1))
    np.testing.assert_allclose((on - off)[changed], closed[changed], atol=1e-6)


@pytest.mark.parametrize(("first", "wanted"), [(0.1, 0.39), (0.17, 0.39), (0.18, 0.18), (0.3, 0.3)])
def test_source_eyes_are_held_to_the_first_frame_unless_it_blinks(first: float, wanted: float) -> None:
    source, driving = _source(True), _driving()
    eyes = source.eye_ratio
    assert eyes is not None
    source = replace(source, first_eye_ratio=np.full(2, first, np.float64))
    options = _options(flag_source_video_eye_retargeting=True, flag_stitching=False)
    reference = driving.take(slice(0, 1))
    plain = transfer(source, driving, reference, HEADS, _options(flag_stitching=False))
    delta = transfer(source, driving, reference, HEADS, options) - plain
    ratios = np.concatenate([eyes, np.full((N, 1), wanted, np.float32)], axis=1)
    np.testing.assert_allclose(delta, HEADS.eye_delta(source.x_s, ratios), atol=1e-6)


def test_retargeting_without_the_drivings_ratios_names_option_and_remedy() -> None:
    source, driving = _source(False), replace(_driving(), eye_ratio=None, lip_ratio=None)
    reference = driving.take(slice(0, 1))
    assert transfer(source, driving, reference, HEADS, _options()).shape == (N, 21, 3)
    for part in ("eye", "lip"):
        options = _options(**{f"flag_{part}_retargeting": True})
        with pytest.raises(UnsupportedError, match=f"flag_{part}_retargeting needs.*give the clip"):
            transfer(source, driving, reference, HEADS, options)


def test_each_frame_of_an_animals_video_moves_as_a_picture_of_it_would() -> None:
    """So frames do not depend on how a clip is cut either."""
    source, driving = _source(True), _driving()
    options, reference = _options(variant="animal"), driving.take(slice(0, 1))
    whole = transfer(source, driving, reference, HEADS, options)
    for i in range(N):
        picture = replace(source.take(slice(i, i + 1)), is_video=False)
        alone = transfer(picture, driving.take(slice(i, i + 1)), reference, HEADS, options)
        np.testing.assert_array_equal(alone[0], whole[i])
    np.testing.assert_allclose(
        transfer(source, driving.take(np.zeros(N, int)), reference, HEADS, replace(options, flag_stitching=False)),
        source.x_s,
        atol=1e-6,
    )


def test_an_animal_takes_the_expression_of_a_picture_and_not_its_pose() -> None:
    """Each keypoint moves by the picture's expression less the neutral one, at the animal's size."""
    source, picture = _source(False), _driving(1)
    options = _options(variant="animal", flag_stitching=False)
    x_d = transfer(source, picture, neutral_face(picture), HEADS, options)
    neutral = keypoints(source.kp, source.scale, picture.R, NEUTRAL_LIP[None], picture.t)
    moved = source.scale[:, None] * (picture.exp - NEUTRAL_LIP) * hull_multiplier(source.x_s[0], neutral[0])
    np.testing.assert_allclose(x_d, source.x_s + moved, atol=1e-6)
    assert np.abs(moved).max() > 0.01
    elsewhere = replace(picture, t=picture.t + 0.3, scale=2 * picture.scale)
    np.testing.assert_allclose(transfer(source, elsewhere, neutral_face(elsewhere), HEADS, options), x_d, atol=1e-6)


def test_lengths_that_disagree_are_a_programming_error() -> None:
    driving = _driving(5)
    with pytest.raises(ValueError, match="12 source frames for 5"):
        transfer(_source(True), driving, driving.take(slice(0, 1)), HEADS, _options())


def test_records_refuse_lacking_and_misshaped_arrays() -> None:
    frames = _frames(0, 3)
    with pytest.raises(TemplateError, match="one motion record"):
        SourceMotion.from_frames(frames, is_video=False)
    with pytest.raises(TemplateError, match="motion without kp"):
        SourceMotion.from_frames({k: v for k, v in frames.items() if k != "kp"}, is_video=True)
    with pytest.raises(TemplateError, match=r"t is \(3, 2\)"):
        DrivingMotion.from_frames({**frames, "t": frames["t"][:, :2]}, is_still=False)


def test_taking_frames_keeps_every_field() -> None:
    """`take` reorders all per-frame arrays and carries the rest over."""
    index = np.array([2, 0])
    for whole in (_source(True), _driving()):
        part = whole.take(index)
        for field in fields(whole):
            value = getattr(whole, field.name)
            rows = isinstance(value, np.ndarray) and field.name != "first_eye_ratio"
            np.testing.assert_array_equal(getattr(part, field.name), value[index] if rows else value)


@pytest.mark.parametrize("is_video", [False, True])
@pytest.mark.parametrize("relative", [False, True])
def test_limits_hold_the_turn_with_its_multiplier(is_video: bool, relative: bool) -> None:
    source, driving = _source(is_video), _driving()
    for multiplier in (1.0, 2.0):
        options = _options(
            turn_limits=TurnLimits(8, 6, 4), flag_relative_motion=relative, driving_multiplier=multiplier
        )
        asked = asked_motion(source, driving, driving.take(slice(0, 1)), options)
        angles = np.abs(Rotation.from_matrix(asked.turn.astype(np.float64)).as_euler("xyz", degrees=True)).max(0)
        # A turn is scaled about its own axis, limits hold angle by angle: they part by a few hundredths of the turn.
        assert (angles <= 1.06 * np.array([8, 6, 4])).all() and (angles > 1).all()


def test_the_turn_asked_for_goes_as_far_as_the_multiplier_takes_it() -> None:
    """Half of the way is half of the angle and half of the growth; the expression is told as it is moved to."""
    source, driving = _source(False), _driving()
    whole, half, none = (
        asked_motion(source, driving, driving.take(slice(0, 1)), _options(driving_multiplier=multiplier))
        for multiplier in (1.0, 0.5, 0.0)
    )
    turns = [Rotation.from_matrix(asked.turn.astype(np.float64)).as_rotvec() for asked in (whole, half, none)]
    assert np.abs(turns[0]).max() > 0.02
    np.testing.assert_allclose(turns[1], turns[0] / 2, atol=1e-5)
    np.testing.assert_allclose(turns[2], 0, atol=1e-6)
    np.testing.assert_allclose(half.scale - 1, (whole.scale - 1) / 2, atol=1e-6)
    np.testing.assert_array_equal(half.expression, whole.expression)
