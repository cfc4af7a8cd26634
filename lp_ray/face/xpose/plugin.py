"""The plugin of X-Pose, the detector of animals. Its identity is known without loading the network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lp_ray.base.declared import Declared, Setting, check_declared
from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.face.protocol import LandmarkerIdentity, LandmarkerSpec
from lp_ray.face.xpose.identity import CODE_VERSION, POINTS, WEIGHTS, prompts_name
from lp_ray.models.cache import cached_file
from lp_ray.models.store import WeightStore

if TYPE_CHECKING:
    from lp_ray.face.xpose.runner import XPoseDetector


@dataclass(frozen=True)
class _Settings:
    """`points`: number of landmarks; `min_score`: score, 0 to 1, below which a candidate is no face."""

    points: int = 9
    min_score: float = 0.1


class XPosePlugin:
    """Implements `lp_ray.face.protocol.LandmarkerPlugin`."""

    settings: ClassVar[Declared] = {
        "weights": Setting("~/.cache/lp_ray/weights", "folder or URI of a weight store; for non-commercial use only"),
        "points": Setting(_Settings.points, "landmarks that the source is cropped by: 9 or 68"),
        "device": Setting("cpu", "cpu or cuda, where it shares GPUs with the engine; never a fallback"),
        "min_score": Setting(_Settings.min_score, "0 to 1: candidates that score less are no faces"),
    }

    def identify(self, spec: LandmarkerSpec) -> LandmarkerIdentity:
        settings = _settings(spec)
        try:
            store = _store(spec)
            entries = [store.entry(name) for name in (WEIGHTS, prompts_name(settings.points))]
        except WeightsError as error:
            raise WeightsError(
                f"xpose.weights: an animal without a box is found by X-Pose, and {error}; with variants=[human,animal] "
                "(prompts are clip_embedding_9.pkl and clip_embedding_68.pkl); or give each animal's box in the "
                "manifest"
            ) from error
        facts = [CODE_VERSION, settings.min_score, *(entry.sha256 for entry in entries)]
        return LandmarkerIdentity(
            spec.name,
            hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32],
            settings.points,
            tuple(dict.fromkeys(entry.licence for entry in entries)),
            subject="animal",
            remembers=True,
            not_found=f"none scores above xpose.min_score={settings.min_score:g}",
        )

    def create(self, spec: LandmarkerSpec) -> XPoseDetector:
        import safetensors.torch  # torch takes seconds to import, and jobs of people go without X-Pose

        from lp_ray.face.xpose.prompts import read_prompts
        from lp_ray.face.xpose.runner import XPoseDetector
        from lp_ray.face.xpose.weights import load_xpose

        self.identify(spec)
        settings, store = _settings(spec), _store(spec)
        prompts = prompts_name(settings.points)
        model, _ = load_xpose(safetensors.torch.load_file(cached_file(store, WEIGHTS)), f"{store}/{WEIGHTS}")
        texts = read_prompts(store.read(prompts), f"{store}/{prompts}")
        return XPoseDetector(model, texts, spec.device, min_score=settings.min_score)


def _settings(spec: LandmarkerSpec) -> _Settings:
    given = spec.given()
    check_declared(given, XPosePlugin.settings, "xpose.")
    points, score = given.get("points", _Settings.points), given.get("min_score", _Settings.min_score)
    if points not in POINTS or isinstance(points, bool) or not isinstance(points, int):
        raise RefusedError(f"xpose.points={points!r} must be one of {', '.join(map(str, POINTS))}")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score < 1:
        raise RefusedError(f"xpose.min_score={score!r} must be a number, at least 0 and under 1")
    return _Settings(points, float(score))


def _store(spec: LandmarkerSpec) -> WeightStore:
    if not spec.weights:
        raise WeightsError(
            "it needs weights: get them with lp-ray weights pull store=FOLDER, then set xpose.weights=FOLDER"
        )
    return WeightStore(spec.weights)


PLUGIN = XPosePlugin()
