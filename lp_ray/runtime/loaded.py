"""Engines and landmarkers that stay loaded in a process, whatever outputs its executors work on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from lp_ray.engine.factory import EngineIdentity, create_engine, identify_engine
from lp_ray.engine.protocol import Engine, EngineSpec
from lp_ray.face.factory import create_landmarker, identify_landmarker
from lp_ray.face.protocol import Landmarker, LandmarkerIdentity, LandmarkerSpec

Spec = TypeVar("Spec")
Identity = TypeVar("Identity")
Made = TypeVar("Made")


class Loaded(Generic[Spec, Identity, Made]):
    """Creates something from its spec and keeps it. Called as `create` is; one call at a time.

    A weight store may be filled anew while a process lives: what was loaded under another identity is loaded again.
    """

    def __init__(self, create: Callable[[Spec], Made], identify: Callable[[Spec], Identity]) -> None:
        self._create, self._identify = create, identify
        self._kept: list[tuple[Spec, Identity, Made]] = []

    def __call__(self, spec: Spec) -> Made:
        """Return what a spec stands for. Raises as `create` and `identify` do; then nothing is kept."""
        identity = self._identify(spec)
        for known, as_was, made in self._kept:
            if (known, as_was) == (spec, identity):
                return made
        self._kept = [kept for kept in self._kept if kept[0] != spec]  # its memory, before the other is loaded
        made = self._create(spec)
        self._kept.append((spec, identity, made))
        return made


def loaded_engines() -> Loaded[EngineSpec, EngineIdentity, Engine]:
    """Return a `CreateEngine` that loads each engine once."""
    return Loaded(create_engine, identify_engine)


def loaded_landmarkers() -> Loaded[LandmarkerSpec, LandmarkerIdentity, Landmarker]:
    """Return a `CreateLandmarker` that loads each landmarker once."""
    return Loaded(create_landmarker, identify_landmarker)
