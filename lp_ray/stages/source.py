"""Stage `source` (CPU): the portrait of each span, found and cropped once however many pairs share it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lp_ray.engine.protocol import FRAME_SIZE, SourceCrop
from lp_ray.errors import RefusedError
from lp_ray.face.factory import create_landmarker
from lp_ray.face.portrait import crop_portrait
from lp_ray.options import make_options
from lp_ray.settings import Settings
from lp_ray.stages.media import read_source
from lp_ray.stages.rows import Batch, Failure, SourcedSpan, SourceRef, SpanRow, empty

STAGE = "source"


@dataclass(frozen=True)
class _Portrait:
    crop: SourceCrop
    to_crop: NDArray[np.float64]


class CropSources:
    """Ray Data callable: SpanRow -> SourcedSpan, one for one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._landmarker = create_landmarker(settings.landmarker)
        self._portrait = lru_cache(settings.source_cache)(self._find_portrait)

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        for row in SpanRow.from_batch(batch):
            yield self._source(row).to_batch()

    def _source(self, row: SpanRow) -> SourcedSpan:
        started = time.perf_counter()
        work = row.work
        options = make_options(work.options, f"pair {work.pair_id}")
        found = self._portrait(work.source, options.source_max_dim, options.crop_scale)
        seconds = time.perf_counter() - started
        if isinstance(found, Failure):
            crop = empty(FRAME_SIZE, 3, dtype=np.uint8)
            points = empty(3, dtype=np.float64)
            return SourcedSpan(work, row.start, row.stop, crop, points, np.zeros((2, 3)), seconds, found)
        return SourcedSpan(work, row.start, row.stop, found.crop.image, found.crop.points, found.to_crop, seconds, None)

    def _find_portrait(self, source: SourceRef, max_dim: int, scale: float) -> _Portrait | Failure:
        """A failure is an answer too: it is cached, so a bad picture is read once, not once per pair."""
        try:
            image = read_source(source, max_dim, self._settings.limits)
            crop, points, to_crop = crop_portrait(image, self._landmarker, source.face, source.box, FRAME_SIZE, scale)
        except RefusedError:
            raise
        except Exception as error:  # whatever a bad input makes a library raise is that input's own failure
            return Failure.of(STAGE, error)
        return _Portrait(SourceCrop(crop, points), to_crop)
