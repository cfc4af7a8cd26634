"""Motion transfer: compute the source's keypoints in every frame, from its own motion and the driving's.

    tracks = carry(source, driving, reference, options)     expression and rotation over the whole pair,
                                                            smoothed when the source is a video
    x_d    = transfer(source, driving, reference, heads, options, tracks)

Every step works on any range of frames and gives the same rows however a clip is cut, if it gets the same reference
and, for a video source, the tracks of the whole pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from lp_ray.base.errors import UnsupportedError
from lp_ray.contract.options import Region
from lp_ray.motion.editing import Edit, edited, ratio_delta
from lp_ray.motion.keypoints import F32, hull_multiplier, keypoints
from lp_ray.motion.limits import NONE, TurnLimits
from lp_ray.motion.neutral import NEUTRAL_LIP
from lp_ray.motion.records import DrivingMotion, Index, Placement, SourceMotion
from lp_ray.motion.region_weights import EVEN, RegionWeights
from lp_ray.motion.regions import RULES
from lp_ray.motion.retarget import (
    Heads,
    eye_retargeting,
    lip_normalisation,
    lip_retargeting,
    source_eye_retargeting,
    spread,
)
from lp_ray.motion.smoothing import smooth


@dataclass(frozen=True)
class TransferOptions:
    """Options of motion transfer, with the names and defaults of the reference's command line."""

    animation_region: Region = "all"
    driving_option: Literal["expression-friendly", "pose-friendly"] = "expression-friendly"
    driving_multiplier: float = 1.0
    driving_smooth_observation_variance: float = 3e-7
    flag_relative_motion: bool = True
    flag_stitching: bool = True
    flag_eye_retargeting: bool = False
    flag_lip_retargeting: bool = False
    flag_normalize_lip: bool = False
    flag_source_video_eye_retargeting: bool = False
    region_weights: RegionWeights = EVEN
    turn_limits: TurnLimits = NONE
    """Of what the driving adds to the source's own pose, the multiplier included."""
    variant: Literal["human", "animal"] = "human"
    """Animals use absolute motion, rescaled by their hull; only stitching and the multiplier apply to them."""

    @property
    def retargets(self) -> bool:
        return self.flag_eye_retargeting or self.flag_lip_retargeting


@dataclass(frozen=True)
class MotionTracks:
    """The driving's expression and rotation, carried to the source: exp n x 21 x 3, R n x 3 x 3.

    If the source is a video, they cover the whole pair, because smoothing uses all frames.
    """

    exp: F32
    R: F32

    def __len__(self) -> int:
        return len(self.exp)

    def take(self, index: Index) -> MotionTracks:
        """Return the frames of `index`, in its order."""
        return MotionTracks(self.exp[index], self.R[index])


def carry(
    source: SourceMotion, driving: DrivingMotion, reference: DrivingMotion, options: TransferOptions
) -> MotionTracks:
    """Return the expression and rotation that a pair's frames would have if every keypoint were driven.

    `source` and `driving` have one row per frame (n), or one row for all frames. `reference` is the driving frame from
    which relative motion is measured. If a clip drives a video source, the result is smoothed over time.
    """
    n = frame_count(source, driving)
    exp, R = driving.exp, driving.R
    if options.flag_relative_motion:
        exp = source.exp + (driving.exp - _neutral_expression(source, reference, options))
        R = np.matmul(driving.R @ reference.R.transpose(0, 2, 1), source.R)
    tracks = MotionTracks(spread(exp, n), spread(R, n))
    if not source.is_video or driving.is_still:
        return tracks
    variance = options.driving_smooth_observation_variance
    return MotionTracks(smooth(tracks.exp, variance), smooth(tracks.R, variance))


def transfer(
    source: SourceMotion,
    driving: DrivingMotion,
    reference: DrivingMotion,
    heads: Heads,
    options: TransferOptions,
    tracks: MotionTracks | None = None,
    edit: Edit | None = None,
) -> F32:
    """Return the driven keypoints x_d, n x 21 x 3, for a range of a pair's frames.

    `source` and `driving` are as for `carry`, cut to the range. `tracks` is the result of `carry` for the whole pair,
    cut to the same range. Without it, the given frames count as the whole pair, which is exact for any range if the
    source is a picture. `edit`, cut to the range too, is applied on top of the driving. Raises UnsupportedError for
    options that these inputs do not support, EngineOutputError for keypoints without volume.
    """
    if options.variant == "animal":
        if edit is not None:
            raise UnsupportedError("edits move people's keypoints, and this is an animal: leave them out")
        x_d = _animal(source, driving, reference)
    else:
        tracks = carry(source, driving, reference, options) if tracks is None else tracks
        x_d = edited(_driven(source, driving, reference, tracks, options), source, edit).keypoints(source.kp)
        if _rescales(source, driving, options):
            x_d = _rescale(source, x_d, _driven_reference(source, reference, options))
    x_s = spread(source.x_s, len(x_d))
    x_d = _finish(source, driving, x_s, x_d, heads, options, edit)
    return x_s + (x_d - x_s) * np.float32(options.driving_multiplier)


@dataclass(frozen=True)
class AskedMotion:
    """What n frames ask of a source: expression n x 21 x 3, turn n x 3 x 3 and scale n, over the source's own.

    `turn` is a matrix for column vectors, applied after the source's own pose. Its axes are x to the right, y up, z
    towards the camera, while keypoints have y down and z away from it: compared with angles of keypoints, yaw and roll
    change their signs, and pitch does not.
    """

    expression: F32
    turn: F32
    scale: F32


_AXES = np.array([1, -1, -1], np.float32)


def asked_motion(
    source: SourceMotion,
    driving: DrivingMotion,
    reference: DrivingMotion,
    options: TransferOptions,
    tracks: MotionTracks | None = None,
    edit: Edit | None = None,
) -> AskedMotion:
    """Return the motion that `transfer` of the same arguments begins with, before rescaling and heads.

    With relative retargeting, which drops the driving's motion, it is the source's own.
    """
    n = frame_count(source, driving)
    if options.variant == "animal":
        R = driving.R @ reference.R.transpose(0, 2, 1) @ source.R
        scale = source.scale * (driving.scale / reference.scale)
        moved = Placement(scale, R.astype(np.float32), driving.exp, driving.t)
    elif options.retargets and options.flag_relative_motion:
        moved = source.placement
    else:
        tracks = carry(source, driving, reference, options) if tracks is None else tracks
        moved = _driven(source, driving, reference, tracks, options)
    placed = moved if options.variant == "animal" else edited(moved, source, edit)
    return asked_of(placed, source, n, options.driving_multiplier)


def asked_of(moved: Placement, source: SourceMotion, n: int, multiplier: float = 1.0) -> AskedMotion:
    """Return what placing a source as `moved` (n rows, or 1) asks of n frames.

    The multiplier takes keypoints a part of the way, or further. The turn and the scale go the same part of theirs; the
    expression is told as it is moved to.
    """
    turn = moved.R.transpose(0, 2, 1) @ source.R  # R is for row vectors
    turn = turn * _AXES[:, None] * _AXES
    scale = (moved.scale / source.scale)[:, 0]
    if multiplier != 1:
        vectors = Rotation.from_matrix(turn.astype(np.float64)).as_rotvec()
        turn = Rotation.from_rotvec(multiplier * vectors).as_matrix().astype(np.float32)
        scale = 1 + np.float32(multiplier) * (scale - 1)
    return AskedMotion(spread(moved.exp, n), spread(turn, n), spread(scale, n))


def frame_count(source: SourceMotion, driving: DrivingMotion) -> int:
    """Return n for a source and a driving of n frames or one. Raises ValueError if they do not match."""
    n = max(len(source), len(driving))
    if {len(source), len(driving)} - {1, n}:
        raise ValueError(f"{len(source)} source frames for {len(driving)} driving frames")
    return n


def _neutral_expression(source: SourceMotion, reference: DrivingMotion, options: TransferOptions) -> F32:
    """Return the expression from which relative expression is measured, 1 x 21 x 3; a still has no neutral frame."""
    if not reference.is_still:
        return reference.exp
    if options.animation_region == "eyes" and not source.is_video:
        return np.zeros_like(reference.exp)
    return NEUTRAL_LIP[None]


def _driven(
    source: SourceMotion,
    driving: DrivingMotion,
    reference: DrivingMotion,
    tracks: MotionTracks,
    options: TransferOptions,
) -> Placement:
    """Return the source's placement with what its region takes from the driving, scaled by the weights."""
    rule = RULES[options.animation_region]
    relative = options.flag_relative_motion
    picture_relative = relative and not source.is_video
    mask = rule.relative if picture_relative else rule.absolute

    exp = np.where(mask, tracks.exp, source.exp)
    R = tracks.R if rule.pose else source.R
    scale = source.scale
    if rule.scale and picture_relative:
        scale = scale * (driving.scale / reference.scale)
    t = source.t
    if rule.pose and not relative:
        t = driving.t
    elif rule.pose and picture_relative:
        t = t + (driving.t - reference.t)
    moved = options.region_weights.apply(source.placement, Placement(scale, R, exp, t))
    if not options.turn_limits:
        return moved
    held = options.turn_limits.times(options.driving_multiplier).apply(source.R, moved.R)
    return Placement(moved.scale, held, moved.exp, moved.t)


def _driven_reference(source: SourceMotion, reference: DrivingMotion, options: TransferOptions) -> F32:
    tracks = carry(source, reference, reference, options)
    return _driven(source, reference, reference, tracks, options).keypoints(source.kp)


def _animal(source: SourceMotion, driving: DrivingMotion, reference: DrivingMotion) -> F32:
    placed, zero = (
        keypoints(source.kp, source.scale, motion.R, motion.exp, motion.t) for motion in (driving, reference)
    )
    return _rescale(source, placed, zero)


def _rescales(source: SourceMotion, driving: DrivingMotion, options: TransferOptions) -> bool:
    friendly = options.driving_option == "expression-friendly"
    return friendly and options.flag_relative_motion and not (source.is_video or driving.is_still)


def _rescale(source: SourceMotion, x_d: F32, x_reference: F32) -> F32:
    """Scale the motion from the source's own keypoints by how much larger its hull is than the reference frame's: once
    for a picture, for each frame of a video."""
    x_s = source.x_s
    larger = [hull_multiplier(own, other) for own, other in zip(x_s, spread(x_reference, len(x_s)), strict=True)]
    return x_s + (x_d - x_reference) * np.array(larger, np.float32)[:, None, None]


def _finish(
    source: SourceMotion,
    driving: DrivingMotion,
    x_s: F32,
    x_d: F32,
    heads: Heads,
    options: TransferOptions,
    edit: Edit | None,
) -> F32:
    """Stitch and retarget, n x 21 x 3. In relative mode, retargeting replaces the driving's motion by the heads'
    deltas."""
    human = options.variant == "human"
    if human and options.retargets:
        if options.flag_relative_motion:
            x_d = spread(edited(source.placement, source, edit).keypoints(source.kp), len(x_s))
        if options.flag_eye_retargeting:
            x_d = x_d + eye_retargeting(source, driving, heads, len(x_s))
        if options.flag_lip_retargeting:
            x_d = x_d + lip_retargeting(source, driving, heads, len(x_s))
    x_d = x_d if edit is None else x_d + ratio_delta(source, edit, heads, len(x_s))
    if options.flag_stitching:
        x_d = heads.stitch(x_s, x_d)
    if human and not options.retargets:
        x_d = x_d + _source_corrections(source, heads, options)
    return x_d


def _source_corrections(source: SourceMotion, heads: Heads, options: TransferOptions) -> F32:
    """Return the deltas that depend only on the source's frames: one row per source frame x 21 x 3."""
    delta = np.zeros_like(source.exp)
    if options.flag_normalize_lip and options.flag_relative_motion:
        delta = delta + lip_normalisation(source, heads)
    if options.flag_source_video_eye_retargeting and source.is_video:
        delta = delta + source_eye_retargeting(source, heads)
    return delta
