"""From a configuration to a landmarker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from lp_ray.base.errors import RefusedError, WeightsError
from lp_ray.contract.licences import MEDIAPIPE
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.protocol import Landmarker
from lp_ray.models.store import WeightStore

LANDMARKERS = ("mediapipe", "insightface")
DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class LandmarkerSpec:
    """Which landmarker, on which device, with which models. Small, picklable, comparable."""

    name: str = "mediapipe"
    weights: str = ""
    """URI of a weight store; unused by the mediapipe landmarker."""
    device: str = "cpu"


@dataclass(frozen=True)
class LandmarkerIdentity:
    """What the driver must know of a landmarker without loading it: see `Landmarker` for the fields."""

    name: str
    digest: str
    n_points: int
    licences: tuple[str, ...] = ()


def identify_landmarker(spec: LandmarkerSpec) -> LandmarkerIdentity:
    """Describe the landmarker that `create_landmarker` would build, reading a weight store's lock at most.

    Whether the device is there is not asked: the driver's machine need not be one that detects. Raises RefusedError
    (or WeightsError) for an unknown landmarker or device, or models that are not there.
    """
    _check(spec)
    if spec.name == "insightface":
        from lp_ray.face.insightface.files import FILES, stored_hashes
        from lp_ray.face.insightface.identity import N_POINTS, NAME, landmarker_digest

        try:
            store = _store(spec)
            terms = tuple(dict.fromkeys(store.entry(name).licence for name in FILES))
            return LandmarkerIdentity(NAME, landmarker_digest(stored_hashes(store)), N_POINTS, terms)
        except WeightsError as error:
            raise WeightsError(f"detector.weights: {error}") from error
    landmarker = create_landmarker(spec)
    return LandmarkerIdentity(landmarker.name, landmarker.digest, landmarker.n_points, (MEDIAPIPE,))


def create_landmarker(spec: LandmarkerSpec) -> Landmarker:
    """Build the landmarker, models loaded, ready to look.

    Raises RefusedError (or WeightsError) when the landmarker, its device or its models are not to be had.
    """
    _check(spec)
    if spec.name == "insightface":
        # onnxruntime and insightface take seconds and hundreds of megabytes to import: MediaPipe goes without them
        from lp_ray.face.insightface.files import ModelFiles
        from lp_ray.face.insightface.landmarker import InsightFaceLandmarker

        device = cast(Literal["cpu", "cuda"], spec.device)
        return InsightFaceLandmarker(ModelFiles.of_store(_store(spec)), device)
    return MediaPipeLandmarker()


def _check(spec: LandmarkerSpec) -> None:
    if spec.name not in LANDMARKERS:
        raise RefusedError(f"detector={spec.name!r} must be one of {', '.join(LANDMARKERS)}")
    if spec.device not in DEVICES:
        raise RefusedError(f"detector.device={spec.device!r} must be one of {', '.join(DEVICES)}")
    if spec.name == "mediapipe" and spec.device != "cpu":
        raise RefusedError(f"detector.device={spec.device!r}: the mediapipe detector runs on cpu only")


def _store(spec: LandmarkerSpec) -> WeightStore:
    if not spec.weights:
        raise WeightsError(
            "detector=insightface needs models: get them with python -m jobs.weights pull store=FOLDER, then set "
            "detector.weights=FOLDER"
        )
    return WeightStore(spec.weights)
