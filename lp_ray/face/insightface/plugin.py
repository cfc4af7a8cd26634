"""The plugin of the detector that the reference uses. Its models come from a weight store."""

from __future__ import annotations

from typing import ClassVar

from lp_ray.base.declared import Declared, Setting
from lp_ray.base.device import Device
from lp_ray.base.errors import WeightsError
from lp_ray.face.insightface.files import FILES, ModelFiles, stored_hashes
from lp_ray.face.insightface.identity import N_POINTS, NAME, landmarker_digest
from lp_ray.face.protocol import Landmarker, LandmarkerIdentity, LandmarkerSpec
from lp_ray.models.store import WeightStore


class InsightFacePlugin:
    """Implements `lp_ray.face.protocol.LandmarkerPlugin`."""

    settings: ClassVar[Declared] = {
        "weights": Setting("~/.cache/lp_ray/weights", "folder or URI of a weight store; buffalo_l is non-commercial"),
        "device": Setting("cpu", "cpu or cuda, where it shares GPUs with the engine; never a fallback"),
    }

    def identify(self, spec: LandmarkerSpec) -> LandmarkerIdentity:
        try:
            store = _store(spec)
            terms = tuple(dict.fromkeys(store.entry(name).licence for name in FILES))
            return LandmarkerIdentity(NAME, landmarker_digest(stored_hashes(store)), N_POINTS, terms)
        except WeightsError as error:
            raise WeightsError(f"detector.weights: {error}") from error

    def create(self, spec: LandmarkerSpec) -> Landmarker:
        # onnxruntime and insightface take seconds and hundreds of megabytes to import: the driver goes without them
        from lp_ray.face.insightface.landmarker import InsightFaceLandmarker

        return InsightFaceLandmarker(ModelFiles.of_store(_store(spec)), Device(spec.device).kind)


def _store(spec: LandmarkerSpec) -> WeightStore:
    if not spec.weights:
        raise WeightsError(
            "detector=insightface needs models: get them with python -m jobs.weights pull store=FOLDER, then set "
            "detector.weights=FOLDER"
        )
    return WeightStore(spec.weights)


PLUGIN = InsightFacePlugin()
