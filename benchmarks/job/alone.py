"""The engine alone: the job's own spans through its engine, with no stage around it.

As many engines as the job has engine actors, each in a process of its own on the same share of the machine (Ray places
them, and does nothing else meanwhile). Portraits are cropped, templates fetched, and the first chunk made, before the
clock runs; what is made is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from lp_ray.contract.options import make_options
from lp_ray.engine.factory import CreateEngine
from lp_ray.engine.protocol import PairMotion, SourceCrops, Span
from lp_ray.plan.settings import Settings
from lp_ray.runtime.pools import Pool
from lp_ray.stages.media import TemplateCache, driving_frames
from lp_ray.stages.rows import SourcedSpan, SpanRow
from lp_ray.stages.source import CropSources


class Alone:
    """An engine and the spans it is to animate."""

    def __init__(self, settings: Settings, create: CreateEngine, source_size: int, spans: Sequence[SpanRow]) -> None:
        self._engine = create(settings.engine)
        self._templates = TemplateCache(settings.templates)
        crop = CropSources(settings, source_size)
        self._spans = [
            row for span in spans for batch in crop(span.to_batch()) for row in SourcedSpan.from_batch(batch)
        ]
        next(self._frames(self._spans[0]))

    def ready(self) -> None:
        """Answer once all is made."""

    def run(self, most_s: float) -> float:
        """Return frames a second, of all spans or of as many as `most_s` seconds suffice for."""
        n_frames, started = 0, time.perf_counter()
        for row in self._spans:
            for frames in self._frames(row):
                n_frames += len(frames)
                if time.perf_counter() - started > most_s:
                    return n_frames / (time.perf_counter() - started)
        return n_frames / (time.perf_counter() - started)

    def _frames(self, row: SourcedSpan) -> Iterator[NDArray[np.uint8]]:
        work = row.work
        options = make_options(work.options, "benchmark")
        prepared = self._engine.prepare(SourceCrops(row.crops, row.points))
        driving, source = self._templates.of_pair(work)
        direction = self._engine.direct(
            PairMotion(driving, driving_frames(work, options, source, driving), source), options
        )
        return self._engine.animate(prepared, direction, Span(row.start, row.stop, work.chunk))


def run_alone(
    settings: Settings, create: CreateEngine, source_size: int, pool: Pool, spans: Sequence[SpanRow], most_s: float
) -> float:
    """Return the frames a second that the pool's engines make together."""
    shares = [spans[i :: pool.actors] for i in range(pool.actors)]
    place = ray.remote(num_cpus=pool.cpus, num_gpus=pool.gpus)(Alone)
    engines: list[Any] = [place.remote(settings, create, source_size, share) for share in shares if share]
    ray.get([engine.ready.remote() for engine in engines])
    rates: list[float] = ray.get([engine.run.remote(most_s) for engine in engines])
    for engine in engines:
        ray.kill(engine)
    return sum(rates)
