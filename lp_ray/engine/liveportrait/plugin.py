"""The plugin of the LivePortrait engine."""

from __future__ import annotations

from typing import ClassVar

from lp_ray.base.declared import Declared, Setting
from lp_ray.engine.protocol import Engine, EngineIdentity, EngineSpec

PUBLISHED = ("official", "unpinned")
"""Labels of weights from the publisher. Results made with other weights state so."""


class LivePortraitPlugin:
    """Implements `lp_ray.engine.protocol.EnginePlugin`.

    Importing torch takes seconds and hundreds of megabytes, so only processes that animate import it.
    """

    settings: ClassVar[Declared] = {
        "device": Setting("cpu", "cpu, cuda or cuda:N; one actor for each GPU, a missing one is an error"),
        "precision": Setting("float32", "float32, bfloat16 or float16; keypoints, angles and grids stay float32"),
        "weights": Setting("~/.cache/lp_ray/weights", "folder or URI of a weight store; seeded: random, for tests"),
        "size": Setting("full", "full; tiny: the same graph with few channels, seeded only"),
        "variant": Setting("human", "human or animal"),
    }

    def identify(self, spec: EngineSpec) -> EngineIdentity:
        from lp_ray.engine.liveportrait.engine import LivePortraitEngine, engine_digest
        from lp_ray.engine.liveportrait.weights.load import identify_weights

        weights = identify_weights(spec.weights, spec.size, spec.variant)
        published = weights.label.startswith(PUBLISHED)
        label = spec.name if published else f"{spec.name} ({weights.label})"
        digest, kind = engine_digest(weights, spec.precision), LivePortraitEngine
        return EngineIdentity(label, digest, kind.needs_crops, kind.source_size, licences=weights.licences)

    def create(self, spec: EngineSpec) -> Engine:
        from lp_ray.engine.liveportrait.engine import LivePortraitEngine
        from lp_ray.engine.liveportrait.weights.load import load_weights

        return LivePortraitEngine(load_weights(spec.weights, spec.size, spec.variant), spec.device, spec.precision)


PLUGIN = LivePortraitPlugin()
