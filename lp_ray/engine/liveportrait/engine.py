"""LivePortrait behind the engine protocol (arXiv 2407.03168)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.placement import choose_device, choose_precision
from lp_ray.engine.liveportrait.predictor import Predictor, SourceFeatures
from lp_ray.engine.liveportrait.weight_set import Variant, WeightIdentity, WeightSet
from lp_ray.engine.protocol import CROP_SIZE, FRAME_SIZE, SourceCrop, Span
from lp_ray.errors import UnsupportedError
from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.motion.records import DrivingMotion, SourceMotion
from lp_ray.motion.reference import parse_reference, reference_index
from lp_ray.motion.template import MotionFrames, TemplateReader
from lp_ray.motion.transfer import TransferOptions, transfer
from lp_ray.options import PairOptions

NAME = "liveportrait"

OUTPUT_VERSION = 1
"""Raised whenever the same template, source and weights would give other frames."""

RATIO_POINTS = (203, 478)
"""Landmark sets that tell how open eyes and lips are; the animals' 9 points do not."""


@dataclass(frozen=True)
class PreparedSource:
    """A source's features on the device, and its motion record of one row."""

    features: SourceFeatures
    motion: SourceMotion


def engine_digest(identity: WeightIdentity, precision: str) -> str:
    """Return what stands for this engine in every key: label of the weights, then a hash of all that counts."""
    facts = [NAME, OUTPUT_VERSION, identity.digest, identity.size, identity.variant, precision]
    return f"{identity.label}:{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}"


class LivePortraitEngine:
    """Implements `lp_ray.engine.protocol.Engine` with the published networks."""

    name = NAME
    needs_crops = True

    def __init__(self, weights: WeightSet, device: str = "cpu", precision: str = "float32") -> None:
        """Raises RefusedError for a device that is not there or a precision it does not have."""
        place = choose_device(device)
        dtype = choose_precision(precision, place)
        self.weights_label = weights.identity.label
        self.digest = engine_digest(weights.identity, precision)
        self._variant = weights.identity.variant
        self._predictor = Predictor(load_networks(weights.size, weights.states), place, dtype)

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        """Return the motion of n driving crops: arrays of `lp_ray.motion.records.TAILS`, a row per frame.

        Ratios are left out for landmarks that do not tell them. Raises UnsupportedError for other crops.
        """
        if crops is None or crops.shape[1:] != (CROP_SIZE, CROP_SIZE, 3):
            got = "none" if crops is None else str(crops.shape)
            raise UnsupportedError(f"the liveportrait engine reads n x {CROP_SIZE} x {CROP_SIZE} x 3 crops, got {got}")
        return {**self._predictor.motion(crops), **_ratios(points)}

    def prepare(self, source: SourceCrop) -> PreparedSource:
        """Run F and M on a portrait. Raises UnsupportedError unless it is 512 x 512 x 3."""
        if source.image.shape != (FRAME_SIZE, FRAME_SIZE, 3):
            raise UnsupportedError(f"a source crop is {FRAME_SIZE} x {FRAME_SIZE} x 3, not {source.image.shape}")
        crop = cv2.resize(source.image, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA).astype(np.uint8)
        motion = {**self._predictor.motion(crop[None]), **_ratios(source.points[None])}
        return PreparedSource(self._predictor.features(crop[None]), SourceMotion.from_frames(motion, is_video=False))

    def animate(
        self, prepared: PreparedSource, template: TemplateReader, options: PairOptions, span: Span
    ) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames of each chunk of `span`, n x 512 x 512 x 3 RGB.

        Raises TemplateError for a template without this engine's motion, UnsupportedError for options that this
        template cannot serve, EngineOutputError for a black or non-finite picture.
        """
        source = prepared.motion
        at = reference_index(parse_reference(options.driving_reference), template.read(names=_judged(template)))
        reference = _read(template, at, at + 1)
        how = transfer_options(options, self._variant)
        for start, stop in span.chunks():
            x_d = transfer(source, _read(template, start, stop), reference, self._predictor.heads, how)
            yield self._predictor.frames(prepared.features, source.x_s, x_d)


def _judged(template: TemplateReader) -> frozenset[str]:
    """Names of the small arrays that a reference frame is chosen by: a long clip is not read whole."""
    return template.names & {"lip_ratio", "eye_ratio", "R", "exp"}


def transfer_options(options: PairOptions, variant: Variant) -> TransferOptions:
    """Return those of a pair's options that motion transfer reads."""
    names = {field.name for field in fields(TransferOptions)}
    shared = {name: value for name, value in asdict(options).items() if name in names}
    return TransferOptions(**shared, variant=variant)


def _read(template: TemplateReader, start: int, stop: int) -> DrivingMotion:
    return DrivingMotion.from_frames(template.read(start, stop), is_still=len(template) == 1)


def _ratios(points: NDArray[np.float64]) -> MotionFrames:
    if points.shape[-2] not in RATIO_POINTS:
        return {}
    return {"eye_ratio": eye_ratios(points), "lip_ratio": lip_ratio(points)}
