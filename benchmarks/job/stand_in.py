"""An engine that waits instead of computing: what is then measured is the job around an engine, on any machine.

Known to the benchmark alone: `lp_ray.engine.factory` cannot make it, and whatever it makes says what it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.contract.options import PairOptions
from lp_ray.engine.factory import EngineIdentity, EngineSpec
from lp_ray.engine.protocol import FRAME_SIZE, Frames, PairMotion, SourceCrops, Span
from lp_ray.motion.template import MotionFrames

WAIT_S = 0.025
"""Seconds a frame, unless the spec's setting `wait_ms` says otherwise."""
NAME = "stand_in"
SWAY = 8
"""Positions that the picture sways through, so that the encoder has motion to code."""


def identity(spec: EngineSpec) -> EngineIdentity:
    """Return what the driver knows of the engine; its label says how long it waits."""
    label = f"stand-in: waits {1000 * wait_of(spec):g} ms a frame"
    return EngineIdentity(label=label, digest=label, needs_crops=False, source_size=FRAME_SIZE)


def wait_of(spec: EngineSpec) -> float:
    """Return the seconds that the engine waits a frame."""
    return float(str(dict(spec.settings).get("wait_ms", 1000 * WAIT_S))) / 1000


class StandIn:
    """Implements `lp_ray.engine.protocol.Engine`: frames of the real size, each chunk ready when its wait is over.

    Copying them together is within the wait, as it is within an engine's time to compute.
    """

    name = NAME
    digest = NAME
    needs_crops = False
    source_size = FRAME_SIZE

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s

    def extract(self, crops: NDArray[np.uint8] | None, points: NDArray[np.float64]) -> MotionFrames:
        """Return n rows of no motion."""
        time.sleep(self._wait_s * len(points))
        return {"eye_ratio": np.ones((len(points), 2), np.float32), "lip_ratio": np.ones((len(points), 1), np.float32)}

    def prepare(self, source: SourceCrops) -> NDArray[np.uint8]:
        """Return the portrait in each of its positions: SWAY x S x S x 3."""
        return np.stack([np.roll(source.images[0], i, axis=1) for i in range(SWAY)])

    def direct(self, motion: PairMotion, options: PairOptions) -> None:
        """There is nothing to direct."""

    def animate(self, source: Any, direction: Any, span: Span) -> Iterator[Frames]:
        """Yield each chunk of `span` so many seconds a frame after it was asked for."""
        for start, stop in span.chunks():
            ready = time.perf_counter() + self._wait_s * (stop - start)
            frames = source[np.abs(np.arange(start, stop) % (2 * SWAY) - SWAY + 0.5).astype(np.intp)]
            time.sleep(max(0.0, ready - time.perf_counter()))
            yield Frames(frames)


def create_stand_in(spec: EngineSpec) -> StandIn:
    """As `lp_ray.engine.factory.create_engine`, for this engine only."""
    assert spec.name == NAME
    return StandIn(wait_of(spec))
