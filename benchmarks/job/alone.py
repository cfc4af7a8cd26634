"""The engine alone: the job's own spans through its engine, with no stage around it.

As many engines as the job has engine actors, each in a process of its own on the same share of the machine (Ray places
them, and does nothing else meanwhile). Portraits are cropped, templates fetched, and the first chunk made, before the
clock runs; what is made is dropped.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import ray

from lp_ray.engine.protocol import Frames, PairMotion, SourceCrops, Span
from lp_ray.plan.work import SpanRow
from lp_ray.runtime.pools import Pool
from lp_ray.stages.contract import Bench
from lp_ray.stages.media import TemplateCache, driving_frames
from lp_ray.stages.rows import SourcedSpan
from lp_ray.stages.source import CropSources


class Alone:
    """An engine and the spans it is to animate."""

    def __init__(self, bench: Bench, spans: Sequence[SpanRow]) -> None:
        self._engine = bench.make_engine()
        self._templates = TemplateCache(bench.settings.templates)
        crop = CropSources(bench)
        self._spans = [row for span in spans for row in crop.work(span)]
        next(self._frames(self._spans[0]))

    def ready(self) -> None:
        """Answer once all is made."""

    def run(self, most_s: float) -> float:
        """Return frames a second, of all spans or of as many as `most_s` seconds suffice for."""
        n_frames, started = 0, time.perf_counter()
        for row in self._spans:
            for frames in self._frames(row):
                n_frames += len(frames.images)
                if time.perf_counter() - started > most_s:
                    return n_frames / (time.perf_counter() - started)
        return n_frames / (time.perf_counter() - started)

    def _frames(self, row: SourcedSpan) -> Iterator[Frames]:
        work = row.work
        prepared = self._engine.prepare(SourceCrops(row.crops[0], row.points[0]))
        driving, source = self._templates.of_pair(work)
        direction = self._engine.direct(
            PairMotion(driving, driving_frames(work, source, driving), source), work.options
        )
        return self._engine.animate(prepared, direction, Span(row.start, row.stop, work.chunk))


def run_alone(bench: Bench, pool: Pool, spans: Sequence[SpanRow], most_s: float) -> float:
    """Return the frames a second that the pool's engines make together."""
    shares = [spans[i :: pool.actors] for i in range(pool.actors)]
    place = ray.remote(num_cpus=pool.cpus, num_gpus=pool.gpus)(Alone)
    engines: list[Any] = [place.remote(bench, share) for share in shares if share]
    ray.get([engine.ready.remote() for engine in engines])
    rates: list[float] = ray.get([engine.run.remote(most_s) for engine in engines])
    for engine in engines:
        ray.kill(engine)
    return sum(rates)
