"""Live edits: a source is read, cropped and prepared once; each move of a slider then costs warp and decode alone.

The parts are the stages of a job: the page shows, pixel by pixel, what `driving=none` with these controls gives.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import LpRayError, RefusedError, error_of
from lp_ray.contract.manifest import check_manifest
from lp_ray.contract.option_checks import check_options
from lp_ray.contract.option_values import make_options
from lp_ray.contract.options import PairOptions
from lp_ray.contract.rows import Row
from lp_ray.coordinator import job as jobs
from lp_ray.coordinator.reporting import Silent
from lp_ray.engine.protocol import EngineSpec
from lp_ray.output.occupy import occupy
from lp_ray.plan.keys import options_digest
from lp_ray.plan.pairing import pair_up
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import SpanRow
from lp_ray.runtime.graph import PAIRS, Graph
from lp_ray.runtime.inline import InlineExecutor, passed
from lp_ray.stages.contract import Bench
from lp_ray.stages.write import WriteSegments
from lp_ray.storage import Policy

KEPT = 16
"""Sources that are kept ready, of all visitors together."""


@dataclass(frozen=True)
class Opened:
    """A source that can be edited: its span, as a job hands it to its stages, and its size."""

    span: SpanRow
    size: tuple[int, int]


class Editor:
    """Edits pictures of any number of visitors, one call at a time. The engine is loaded at the first source."""

    def __init__(self, engine: EngineSpec, scratch: Path, policy: Policy, **settings: Any) -> None:
        """`scratch` is a folder for files that nobody is shown, the editor's own: it is there only while a source is
        being opened."""
        self._scratch = scratch
        root = storage.normalise(str(scratch))
        self._settings = Settings(root, storage.join(root, "templates"), engine, source_cache=KEPT, **settings)
        self._policy = policy
        self._executor: _Watching | None = None

    def open(self, source: Path) -> Opened:
        """Read, crop and prepare a source picture. Raises RefusedError or InputError, as a job's row would say it."""
        sources = check_manifest(pa.table({"uri": [str(source)], "media": ["image"]}), "source", "source")
        drivings = check_manifest(pa.table({"uri": ["none"]}), "driving", "driving")
        pairs = pair_up("zip", 1, 1, PairOptions(format="frames"))
        job = jobs.prepare(self._settings, sources, drivings, None, pairs, self._policy)
        for failures in (job.plan.sources.failures, job.plan.drivings.failures):
            if failures:
                raise error_of(failures[0].error_class, failures[0].error)
        if self._executor is None:
            self._executor = _Watching(Bench(job.settings, job.engine))
        try:
            with occupy(job.settings.output_layout, meta=job.plan.meta_schema) as lease:
                jobs.run(job, self._executor, Silent(), lease)
        finally:  # only the span is wanted: the rest would outlive who gave the picture
            shutil.rmtree(self._scratch, ignore_errors=True)
        span = self._executor.spans[-1]
        picture = next(self._executor.pictures(span))
        return Opened(span, (picture.shape[1], picture.shape[0]))

    def picture(self, opened: Opened, values: dict[str, Any]) -> Image:
        """Return an opened source with controls and options as given, H x W x 3. Raises RefusedError for wrong ones."""
        if self._executor is None:
            raise RefusedError("no source is open: give one first")
        engine, own = self._settings.engine, opened.span.work.options
        options = replace(make_options(values, "edit"), format=own.format)
        check_options(options, engine.name, engine.variant, "edit")
        # Stages know a pair by its id, and keep its motion: another edit is another pair.
        pair_id = f"{opened.span.work.pair_id}-{options_digest(options)}"
        work = replace(opened.span.work, options=options, pair_id=pair_id)
        return next(self._executor.pictures(replace(opened.span, work=work)))


class _Watching(InlineExecutor):
    """Keeps the spans that it is given, and shows what the stages make of one without writing it."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.spans: list[SpanRow] = []

    def run(self, graph: Graph, rows: Sequence[Row]) -> Iterator[Any]:
        self.spans += [row for row in rows if isinstance(row, SpanRow)]
        del self.spans[: -4 * KEPT]
        return super().run(graph, rows)

    def pictures(self, span: SpanRow) -> Iterator[Image]:
        """Yield the finished pictures of a span. Raises what a stage's failure says."""
        *before, write = self.workers(PAIRS)
        stage = write.stage
        if not isinstance(stage, WriteSegments):
            raise LpRayError("the last stage of a pair is one that writes")
        for piece in passed(before, [span]):
            failure = piece.trace.failure
            if failure is not None:
                raise error_of(failure.error_class, failure.error)
            yield from stage.pictures(piece)
