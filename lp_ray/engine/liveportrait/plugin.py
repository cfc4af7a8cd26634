"""LivePortrait's networks as a job's engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from lp_ray.engine.protocol import Engine, EngineIdentity, EngineSpec

PUBLISHED = ("official", "unpinned")
"""Labels of weights that came from the publisher; results made with any others say so."""


class LivePortraitPlugin:
    """Implements `lp_ray.engine.protocol.EnginePlugin`.

    torch takes seconds and hundreds of megabytes to import: who does not animate with it goes without.
    """

    defaults: ClassVar[Mapping[str, object]] = {
        "device": "cpu",
        "precision": "float32",
        "weights": "~/.cache/lp_ray/weights",
        "size": "full",
        "variant": "human",
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
