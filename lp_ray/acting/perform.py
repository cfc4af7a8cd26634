"""Play a performance on a portrait: turn curves into motion of the canonical face, and render it with the preview
engine."""

from __future__ import annotations

from collections.abc import Iterator

from lp_ray.acting.curves import Curves
from lp_ray.acting.shown import SHOWN
from lp_ray.base.arrays import Image
from lp_ray.engine.preview.editing import added
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.preview.transfer import of_edit
from lp_ray.engine.preview.warp import render


def perform(prepared: PreparedSource, curves: Curves) -> Iterator[Image]:
    """Yield the frames of a performance on a portrait, FRAME_SIZE x FRAME_SIZE x 3 RGB each."""
    for i in range(len(curves)):
        values = {control: float(getattr(curves, curve)[i]) * unit for control, (curve, unit) in SHOWN.items()}
        yield render(prepared, of_edit(prepared, added(values, prepared.canonical)))
