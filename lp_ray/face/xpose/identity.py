"""X-Pose as a setting of a job: which weights, how many points; what it is, known without loading it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.models.cache import cached_file
from lp_ray.models.store import WeightStore

if TYPE_CHECKING:
    from lp_ray.face.xpose.runner import XPoseDetector

CODE_VERSION = 1
"""Raised when the same picture and weights would give other points."""

WEIGHTS = "animal/xpose.safetensors"
POINTS = (9, 68)
DEVICES = ("cpu", "cuda")


def prompts_name(points: int) -> str:
    """Return what a weight store calls the text prompts of so many points."""
    return f"animal/prompts_{points}.npz"


@dataclass(frozen=True)
class XPoseSpec:
    """Which X-Pose, on which device. Small, picklable, comparable."""

    weights: str = ""
    """URI of a weight store."""
    points: int = 9
    """Landmarks asked for: 9 or 68."""
    device: str = "cpu"
    min_score: float = 0.1
    """Score, 0 to 1, under which a candidate is no face."""


@dataclass(frozen=True)
class XPoseIdentity:
    """What the driver must know of X-Pose: `digest` changes with weights, prompts, threshold and code."""

    digest: str
    licences: tuple[str, ...]


def identify_xpose(spec: XPoseSpec) -> XPoseIdentity:
    """Describe what `create_xpose` would build, reading the store's lock at most.

    Raises RefusedError for a setting out of range, WeightsError, with the remedy, for weights that are not there.
    """
    _check(spec)
    try:
        store = _store(spec)
        entries = [store.entry(name) for name in (WEIGHTS, prompts_name(spec.points))]
    except WeightsError as error:
        raise WeightsError(
            f"xpose.weights: an animal without a box is found by X-Pose, and {error}; with variants=[human,animal] "
            "(prompts are clip_embedding_9.pkl and clip_embedding_68.pkl); or give each animal's box in the manifest"
        ) from error
    facts = [CODE_VERSION, spec.min_score, *(entry.sha256 for entry in entries)]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
    return XPoseIdentity(digest, tuple(dict.fromkeys(entry.licence for entry in entries)))


def create_xpose(spec: XPoseSpec) -> XPoseDetector:
    """Load X-Pose, ready to look; its weights are fetched once per machine.

    Raises as `identify_xpose`, WeightsError for altered files, RefusedError for a device that is not there.
    """
    import safetensors.torch  # torch takes seconds to import, and jobs of people go without X-Pose

    from lp_ray.face.xpose.prompts import read_prompts
    from lp_ray.face.xpose.runner import XPoseDetector
    from lp_ray.face.xpose.weights import load_xpose

    identify_xpose(spec)
    store, prompts = _store(spec), prompts_name(spec.points)
    model, _ = load_xpose(safetensors.torch.load_file(cached_file(store, WEIGHTS)), f"{store}/{WEIGHTS}")
    texts = read_prompts(store.read(prompts), f"{store}/{prompts}")
    return XPoseDetector(model, texts, spec.device, min_score=spec.min_score)


def _check(spec: XPoseSpec) -> None:
    if spec.points not in POINTS:
        raise RefusedError(f"xpose.points={spec.points!r} must be one of {', '.join(map(str, POINTS))}")
    if spec.device not in DEVICES:
        raise RefusedError(f"xpose.device={spec.device!r} must be one of {', '.join(DEVICES)}")
    if not 0 <= spec.min_score < 1:
        raise RefusedError(f"xpose.min_score={spec.min_score!r} must be at least 0 and under 1")


def _store(spec: XPoseSpec) -> WeightStore:
    if not spec.weights:
        raise WeightsError(
            "it needs weights: get them with python -m jobs.weights pull store=FOLDER, then set xpose.weights=FOLDER"
        )
    return WeightStore(spec.weights)
