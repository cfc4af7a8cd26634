"""From a configuration to an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lp_ray.base.errors import RefusedError
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.topology import N_POINTS
from lp_ray.engine.protocol import Engine

ENGINES = ("preview", "liveportrait")

PUBLISHED = ("official", "unpinned")
"""Labels of weights that came from the publisher; results made with any others say so."""


@dataclass(frozen=True)
class EngineSpec:
    """Which engine, on which device, with which weights. Small, picklable, comparable."""

    name: str
    device: str = "cpu"
    precision: str = "float32"
    weights: str = ""
    """URI of a weight store, or `seeded`; unused by the preview engine."""
    size: str = "full"
    variant: str = "human"


CreateEngine = Callable[[EngineSpec], Engine]
"""What engine stages make theirs with: `create_engine`, or a benchmark's own."""


@dataclass(frozen=True)
class EngineIdentity:
    """What the driver must know of an engine without loading it.

    `label` is what the results' `engine` column shows: weights that are not the published ones are named there.
    """

    label: str
    digest: str
    needs_crops: bool
    source_size: int
    n_points: int | None = None
    """Landmarks of a face that the engine is made for; None if any known number will do."""
    licences: tuple[str, ...] = ()
    """Terms of its weights, where it has any."""


def identify_engine(spec: EngineSpec) -> EngineIdentity:
    """Describe the engine that `create_engine` would build.

    Raises RefusedError (or WeightsError) for an unknown engine or weights that are not there.
    """
    if spec.name == "liveportrait":
        from lp_ray.engine.liveportrait.engine import LivePortraitEngine, engine_digest
        from lp_ray.engine.liveportrait.weights.load import identify_weights

        weights = identify_weights(spec.weights, spec.size, spec.variant)
        published = weights.label.startswith(PUBLISHED)
        label = spec.name if published else f"{spec.name} ({weights.label})"
        kind = LivePortraitEngine
        digest = engine_digest(weights, spec.precision)
        return EngineIdentity(label, digest, kind.needs_crops, kind.source_size, licences=weights.licences)
    engine = create_engine(spec)
    return EngineIdentity(engine.name, engine.digest, engine.needs_crops, engine.source_size, N_POINTS)


def create_engine(spec: EngineSpec) -> Engine:
    """Build the engine, weights loaded, ready to run.

    Raises RefusedError (or WeightsError) when the engine, its device or its weights are not to be had.
    """
    if spec.name == "preview":
        if spec.device != "cpu":
            raise RefusedError(f"engine.device={spec.device!r}: the preview engine runs on cpu only")
        return PreviewEngine()
    if spec.name == "liveportrait":
        # torch takes seconds and hundreds of megabytes to import: the preview's actors go without it
        from lp_ray.engine.liveportrait.engine import LivePortraitEngine
        from lp_ray.engine.liveportrait.weights.load import load_weights

        return LivePortraitEngine(load_weights(spec.weights, spec.size, spec.variant), spec.device, spec.precision)
    raise RefusedError(f"engine={spec.name!r} must be one of {', '.join(ENGINES)}")
