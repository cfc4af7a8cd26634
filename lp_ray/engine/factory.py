"""From a configuration to an engine."""

from __future__ import annotations

from dataclasses import dataclass

from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.protocol import Engine
from lp_ray.errors import RefusedError

ENGINES = ("preview", "liveportrait")


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


def create_engine(spec: EngineSpec) -> Engine:
    """Build the engine, weights loaded, ready to run.

    Raises RefusedError (or WeightsError) when the engine, its device or its weights are not to be had.
    """
    if spec.name == "preview":
        if spec.device != "cpu":
            raise RefusedError(f"engine.device={spec.device!r}: the preview engine runs on cpu only")
        return PreviewEngine()
    raise RefusedError(f"engine={spec.name!r} must be one of {', '.join(ENGINES)}")
