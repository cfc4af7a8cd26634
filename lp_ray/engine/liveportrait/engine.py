"""The LivePortrait engine (arXiv 2407.03168)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError, UnsupportedError
from lp_ray.contract.edits import Edits
from lp_ray.contract.options import PairOptions, edits_of
from lp_ray.contract.variants import Variant
from lp_ray.engine.liveportrait.finish import Finisher
from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.placement import AUTO, choose_device, choose_execution, choose_precision
from lp_ray.engine.liveportrait.predictor import Predictor, SourceFeatures
from lp_ray.engine.liveportrait.weights.weight_set import WeightIdentity, WeightSet
from lp_ray.engine.protocol import CROP_SIZE, Finished, Frames, PairMotion, SourceCrops, Span
from lp_ray.face.crop import in_proportion
from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.motion.editing import Edit, at_rest, edit_source, edited, make_edit, video_lips
from lp_ray.motion.keypoints import F32
from lp_ray.motion.limits import TurnLimits
from lp_ray.motion.performed import Controls, asked, combined, curves_at, is_performed
from lp_ray.motion.records import TAILS, DrivingMotion, SourceMotion
from lp_ray.motion.reference import find_reference, neutral_face
from lp_ray.motion.region_weights import RegionWeights
from lp_ray.motion.retarget import spread
from lp_ray.motion.smoothing import smooth_driving
from lp_ray.motion.template import MotionFrames, TemplateReader
from lp_ray.motion.transfer import AskedMotion, MotionTracks, TransferOptions, asked_motion, asked_of, carry, transfer

NAME = "liveportrait"

OUTPUT_VERSION = 5
"""Raise this whenever the same template, source and weights would give other frames."""

RATIO_POINTS = (203, 478)
"""Landmark sets from which eye and lip ratios can be measured. The animals' 9 points are not among them."""


@dataclass(frozen=True)
class PreparedSource:
    """Features of a picture (1 row) or of a video's frames (n rows) on the device; for a picture, also its motion."""

    features: SourceFeatures
    motion: SourceMotion | None


@dataclass(frozen=True)
class _Part:
    """What a chunk is rendered from, and the facts of its frames."""

    features: SourceFeatures
    x_s: F32
    x_d: F32
    facts: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Direction:
    """The motion of a pair: how it is transferred, its reference frame (None: a performance, which has none), for a
    source video its smoothed tracks, and an edit on top."""

    motion: PairMotion
    options: TransferOptions
    reference: DrivingMotion | None
    source: SourceMotion | None
    tracks: MotionTracks | None
    edits: Edits
    smoothed: DrivingMotion | None = None
    """The whole driving, if it is smoothed."""
    lips: F32 | None = None
    """What opens a source video's lips as wanted, n x 21 x 3: smoothed, so of the whole pair."""
    silence: bool = False

    def driving(self, start: int, stop: int) -> DrivingMotion:
        """Return the driving's motion for output frames [start, stop)."""
        reader, frames = self.motion.driving, self.motion.driving_frames[start:stop]
        if self.smoothed is not None:
            return self.smoothed.take(frames)
        first = int(frames.min())
        stretch = _read(reader, first, int(frames.max()) + 1)
        return stretch.take(frames - first)

    def controls(self, start: int, stop: int) -> Controls:
        """Return the controls of the edit for output frames [start, stop), those of a performance with them."""
        performed = self.reference is None
        curves = curves_at(self.motion.driving, self.motion.driving_frames[start:stop]) if performed else {}
        return combined(curves, self.edits)

    def edit(self, controls: Controls, start: int, stop: int) -> Edit | None:
        """Return the edit of output frames [start, stop), whose controls these are."""
        made = make_edit(controls)
        return made if made is None or self.lips is None else replace(made, lips=self.lips[start:stop])


ON_CPU, ON_DEVICE = "cpu", "device"
"""Values of engine.finishing."""


def check_finishing(asked: str) -> None:
    """Raise RefusedError unless `asked` is a value of engine.finishing."""
    if asked not in (ON_CPU, ON_DEVICE):
        raise RefusedError(f"engine.finishing={asked!r} must be {ON_CPU} or {ON_DEVICE}")


def engine_digest(identity: WeightIdentity, precision: str, execution: str = AUTO, finishing: str = ON_CPU) -> str:
    """Return the digest of this engine for every key: the label of the weights, then a hash of all that changes
    results.

    Fused kernels round otherwise than single ones, so an execution that is asked for by name is part of it. `auto` is
    not: it stands for what the machine can. Finishing on the device may move a value by 1.
    """
    facts = [NAME, OUTPUT_VERSION, identity.digest, identity.size, identity.variant, precision]
    facts += [execution] if execution != AUTO else []
    facts += [f"finishing={finishing}"] if finishing != ON_CPU else []
    return f"{identity.label}:{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}"


class LivePortraitEngine:
    """Implements `lp_ray.engine.protocol.Engine` with the published networks."""

    name = NAME
    needs_crops = True
    source_size = CROP_SIZE

    def __init__(
        self,
        weights: WeightSet,
        device: str = "cpu",
        precision: str = "float32",
        execution: str = AUTO,
        finishing: str = ON_CPU,
    ) -> None:
        """Raises RefusedError for a missing device, or a precision or an execution that it does not support."""
        check_finishing(finishing)
        self._place = place = choose_device(device)
        dtype = choose_precision(precision, place)
        self.weights_label = weights.identity.label
        self.digest = engine_digest(weights.identity, precision, execution, finishing)
        self._variant = weights.identity.variant
        how = choose_execution(place, dtype, execution)
        self._predictor = Predictor(load_networks(weights.size, weights.states), place, dtype, execution=how)

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        """Return the motion of n driving crops: the arrays of `lp_ray.motion.records.TAILS`, one row per frame.

        Without suitable landmarks, ratios are left out. Raises UnsupportedError for crops of another shape.
        """
        if crops is None or crops.shape[1:] != (CROP_SIZE, CROP_SIZE, 3):
            got = "none" if crops is None else str(crops.shape)
            raise UnsupportedError(f"the liveportrait engine reads n x {CROP_SIZE} x {CROP_SIZE} x 3 crops, got {got}")
        return {**self._predictor.motion(crops), **_ratios(points)}

    def prepare(self, source: SourceCrops) -> PreparedSource:
        """Run F, and M on a picture. Raises UnsupportedError unless the crops are 256 x 256 x 3."""
        if source.images.shape[1:] != (CROP_SIZE, CROP_SIZE, 3):
            raise UnsupportedError(f"source crops are {CROP_SIZE} x {CROP_SIZE} x 3, not {source.images.shape[1:]}")
        features = self._predictor.features(source.images)
        if source.is_video:
            return PreparedSource(features, None)
        motion = {**self._predictor.motion(source.images), **_ratios(in_proportion(source.points, source.aspect))}
        return PreparedSource(features, SourceMotion.from_frames(motion, is_video=False))

    def direct(self, motion: PairMotion, options: PairOptions) -> Direction:
        """Choose the reference frame. For a source video, smooth the tracks over the whole pair.

        Raises TemplateError for a template without this engine's motion, UnsupportedError for options that this
        template does not support.
        """
        driving, edits = motion.driving, edits_of(options)
        how = transfer_options(options, self._variant)
        if is_performed(driving):
            return self._perform(motion, how, edits, options)
        at = find_reference(driving, options.driving_reference)
        reference = _read(driving, at, at + 1)
        if reference.is_still and self._variant == "animal":
            reference = neutral_face(reference)
        source = _own_motion(motion)
        if source is None:
            smoothed = _smoothed(driving, options.driving_smooth)
            reference = reference if smoothed is None else smoothed.take(np.array([at]))
            return Direction(motion, how, reference, None, None, edits, smoothed)
        if self._variant == "animal":  # nothing of it is smoothed, and its lips are its own
            return Direction(motion, how, reference, source, None, edits)
        whole = Direction(motion, how, reference, source, None, edits).driving(0, len(motion.driving_frames))
        made = Direction(motion, how, reference, source, carry(source, whole, reference, how), edits)
        return replace(made, lips=self._lips(made, options.lip_smooth))

    def _perform(self, motion: PairMotion, how: TransferOptions, edits: Edits, options: PairOptions) -> Direction:
        """Return the direction of a pair whose driving is a performance. Raises UnsupportedError for an animal."""
        if self._variant == "animal":
            raise UnsupportedError("a performance moves people's keypoints, and this is an animal: give a clip")
        made = Direction(motion, how, None, _own_motion(motion), None, edits, silence=options.silence)
        return replace(made, lips=self._lips(made, options.lip_smooth))

    def _lips(self, direction: Direction, observation_variance: float) -> F32 | None:
        """Return what opens a source video's lips as wanted, over the whole pair; None where nothing is smoothed.

        Raises UnsupportedError for a source without landmarks.
        """
        n = len(direction.motion.driving_frames)
        wanted = direction.controls(0, n).get("lip_ratio")
        if direction.source is None or wanted is None or not observation_variance:
            return None
        ratios = np.broadcast_to(np.asarray(wanted, np.float32), n)[:, None]
        return video_lips(direction.source, ratios, self._predictor.heads, observation_variance)

    def animate(self, source: PreparedSource, direction: Direction, span: Span) -> Iterator[Frames]:
        """Yield the frames of each chunk of `span`. Their facts are the requested driving keypoints, n x 21 x 3, and
        the motion that they were made of (`lp_ray.motion.transfer.AskedMotion`; `rotation` is its turn).

        Raises EngineOutputError for a picture that is black or not finite, UnsupportedError for options that these
        inputs do not support.
        """
        for part in self._parts(source, direction, span):
            yield Frames(self._predictor.frames(part.features, part.x_s, part.x_d), part.facts)

    def finish(
        self,
        sources: Sequence[PreparedSource],
        directions: Sequence[Direction],
        span: Span,
        picture: Image,
        to_crop: NDArray[np.float64],
    ) -> Iterator[Finished]:
        """Yield the finished frames of each chunk of `span` (`lp_ray.engine.protocol.FinishingEngine`)."""
        finisher = Finisher(picture, to_crop, self._place)
        each = [self._parts(*face, span) for face in zip(sources, directions, strict=True)]
        for parts in zip(*each, strict=True):
            faces = [self._predictor.frames_on_device(part.features, part.x_s, part.x_d) for part in parts]
            yield Finished(finisher.planes(faces), tuple(part.facts for part in parts))

    def _parts(self, source: PreparedSource, direction: Direction, span: Span) -> Iterator[_Part]:
        """Yield what each chunk of `span` is rendered from."""
        for start, stop in span.chunks():
            own, tracks, features = source.motion, None, source.features
            if own is None and direction.source is not None:
                own = direction.source.take(slice(start, stop))
                tracks = None if direction.tracks is None else direction.tracks.take(slice(start, stop))
                features = features.rows(start - span.start, stop - span.start)
            if own is None:
                raise ValueError("a source video needs the direction of a source video")
            controls = direction.controls(start, stop)
            edit = direction.edit(controls, start, stop)
            x_d = self._moved(own, direction, tracks, edit, start, stop)
            moved = _asked_motion(own, direction, tracks, edit, start, stop)
            motion = {"keypoints": x_d, "expression": moved.expression, "rotation": moved.turn, "scale": moved.scale}
            facts = {name: np.asarray(rows, np.float32) for name, rows in motion.items()}
            facts |= asked(controls, stop - start)
            yield _Part(features, own.x_s, x_d, facts)

    def _moved(
        self,
        own: SourceMotion,
        direction: Direction,
        tracks: MotionTracks | None,
        edit: Edit | None,
        start: int,
        stop: int,
    ) -> F32:
        """Return the keypoints x_d, n x 21 x 3, of output frames [start, stop)."""
        heads, options = self._predictor.heads, direction.options
        if direction.reference is not None:
            driving = direction.driving(start, stop)
            return transfer(own, driving, direction.reference, heads, options, tracks, edit)
        x_s = spread(own.x_s, stop - start)
        x_d = spread(edit_source(own, edit, heads, options.flag_stitching, direction.silence), stop - start)
        return x_s + (x_d - x_s) * np.float32(options.driving_multiplier)


def _asked_motion(
    own: SourceMotion, direction: Direction, tracks: MotionTracks | None, edit: Edit | None, start: int, stop: int
) -> AskedMotion:
    """Return the motion asked for in output frames [start, stop)."""
    if direction.reference is None:
        placed = at_rest(own) if direction.silence else own.placement
        return asked_of(edited(placed, own, edit), own, stop - start, direction.options.driving_multiplier)
    driving = direction.driving(start, stop)
    return asked_motion(own, driving, direction.reference, direction.options, tracks, edit)


def _smoothed(driving: TemplateReader, observation_variance: float) -> DrivingMotion | None:
    """Return a whole driving, smoothed; None if it is not to be. Its motion takes half a kilobyte a frame."""
    if not observation_variance or len(driving) == 1:
        return None
    return smooth_driving(_read(driving, 0, len(driving)), observation_variance)


def _own_motion(motion: PairMotion) -> SourceMotion | None:
    """Return the motion of a source video's frames, those of the whole pair; None for a picture."""
    if motion.source is None:
        return None
    n, names = len(motion.driving_frames), motion.source.names & TAILS.keys()
    return SourceMotion.from_frames(motion.source.read(0, n, names), is_video=True)


def transfer_options(options: PairOptions, variant: Variant) -> TransferOptions:
    """Return the options of a pair that motion transfer uses."""
    names = {field.name for field in fields(TransferOptions)}
    shared = {name: value for name, value in asdict(options).items() if name in names}
    weights = RegionWeights(options.weight_pose, options.weight_eyes, options.weight_lip, options.weight_exp)
    limits = TurnLimits(options.max_pitch, options.max_yaw, options.max_roll)
    return TransferOptions(**shared, region_weights=weights, turn_limits=limits, variant=variant)


def _read(template: TemplateReader, start: int, stop: int) -> DrivingMotion:
    return DrivingMotion.from_frames(template.read(start, stop), is_still=len(template) == 1)


def _ratios(points: NDArray[np.float64]) -> MotionFrames:
    if points.shape[-2] not in RATIO_POINTS:
        return {}
    return {"eye_ratio": eye_ratios(points), "lip_ratio": lip_ratio(points)}
