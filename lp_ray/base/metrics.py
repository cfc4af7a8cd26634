"""What a running job tells Prometheus: every metric is declared here, as data, and recorded by the calls below.

Ray's agent on each node serves what the processes there recorded, under the names that `exported_names` gives. Outside
Ray nothing is recorded: a caller that uses engines or media as a library has no metrics, by design. The process that
knows a thing first-hand records it: the driver what is settled, an actor what it has worked.

Times are counters of seconds, not histograms: Ray 2.60 rebuilds a histogram's sum from the middles of its buckets
(one observation of 0.5 s between the bounds 0.1 and 1 came out as 0.55), a counter is exact, and its rate is the share
of time that was spent. The one histogram is there for quantiles.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

Kind = Literal["counter", "gauge", "histogram"]
CacheName = Literal["source", "paste_back", "template", "prepared"]

GAUGE_EVERY_S = 0.5
"""Between two settings of a gauge: below any interval at which Ray reports."""

PREFIX = "ray_"
"""What Ray puts before every name it exports."""


@dataclass(frozen=True)
class Metric:
    """One metric; `tags` must all be given when it is recorded. `bounds` are a histogram's, in the metric's unit."""

    name: str
    kind: Kind
    description: str
    tags: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


PAIRS = Metric("lp_ray_pairs", "counter", "Pairs settled by this job, by status (done or failed).", ("status",))
PAIRS_PLANNED = Metric("lp_ray_pairs_planned", "gauge", "Pairs that the running job has to make.")
ERRORS = Metric("lp_ray_errors", "counter", "Failed pairs by stage and class of error.", ("stage", "error_class"))
FRAMES = Metric("lp_ray_frames", "counter", "Frames animated, encoded and staged, repeats left out.")
BYTES = Metric("lp_ray_video_bytes", "counter", "Bytes of finished videos.")
TEMPLATES = Metric("lp_ray_templates", "counter", "Motion templates by outcome (made, reused, failed).", ("outcome",))
STAGE_SECONDS = Metric("lp_ray_stage_seconds", "counter", "Seconds that actors of a stage have worked.", ("stage",))
STAGE_UNITS = Metric(
    "lp_ray_stage_units",
    "counter",
    "Units of work that a stage has finished (chunks, spans or finalized files).",
    ("stage",),
)
STAGE_DURATION = Metric(
    "lp_ray_stage_duration_seconds",
    "histogram",
    "How long one unit of a stage's work took: for quantiles.",
    ("stage",),
    (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
)
QUEUE = Metric(
    "lp_ray_queue_depth", "gauge", "What waits, by queue (open_pairs, finalizing, unwritten_rows).", ("queue",)
)
CACHE = Metric(
    "lp_ray_cache_lookups",
    "counter",
    "Lookups by cache (source, paste_back, template, prepared) and outcome (hit, miss).",
    ("cache", "outcome"),
)
ENGINE_BUSY = Metric(
    "lp_ray_engine_busy_seconds",
    "counter",
    "Seconds that an engine actor's device was computing; its rate is the device's busy share.",
    ("stage", "device"),
)

METRICS = (
    *(PAIRS, PAIRS_PLANNED, ERRORS, FRAMES, BYTES, TEMPLATES),
    *(STAGE_SECONDS, STAGE_UNITS, STAGE_DURATION, QUEUE, CACHE, ENGINE_BUSY),
)
"""All of them: what the dashboard may refer to."""


def exported_names(metric: Metric) -> tuple[str, ...]:
    """Return the names of a metric's series in Prometheus.

    >>> exported_names(FRAMES)
    ('ray_lp_ray_frames_total',)
    """
    name = PREFIX + metric.name
    if metric.kind == "counter":
        return (f"{name}_total",)
    if metric.kind == "histogram":
        return (f"{name}_bucket", f"{name}_sum", f"{name}_count")
    return (name,)


def pair_settled(status: str) -> None:
    """A pair has got its row."""
    _add(PAIRS, 1, status=status)


def pair_failed(stage: str, error_class: str) -> None:
    """A pair has failed for this reason (besides `pair_settled`)."""
    _add(ERRORS, 1, stage=stage, error_class=error_class)


def pairs_planned(count: int) -> None:
    """The job has that many pairs to make."""
    _set(PAIRS_PLANNED, count)


def frames_staged(count: int) -> None:
    """Frames have come through, counted once however often an actor replays them."""
    _add(FRAMES, count)


def video_finished(n_bytes: int) -> None:
    """A video of that size is in the output."""
    _add(BYTES, n_bytes)


def template_settled(outcome: Literal["made", "reused", "failed"], count: int = 1) -> None:
    """Motion templates were made, found in the store, or could not be made."""
    _add(TEMPLATES, count, outcome=outcome)


def stage_worked(stage: str, seconds: float) -> None:
    """An actor of a stage, or a finalize task, has finished a unit of work in that time."""
    _add(STAGE_SECONDS, seconds, stage=stage)
    _add(STAGE_UNITS, 1, stage=stage)
    if _recording():
        _histogram(STAGE_DURATION).observe(seconds, {"stage": stage})


def queue_depth(queue: Literal["open_pairs", "finalizing", "unwritten_rows"], depth: int) -> None:
    """So much waits at this moment."""
    _set(QUEUE, depth, queue=queue)


def cache_looked_up(cache: CacheName, hit: bool) -> None:
    """Something was looked for in a cache of an actor."""
    _add(CACHE, 1, cache=cache, outcome="hit" if hit else "miss")


def engine_busy(stage: str, device: str, seconds: float) -> None:
    """An engine actor's device has computed for that long; `device` as torch writes it (`cuda`, `cpu`)."""
    _add(ENGINE_BUSY, seconds, stage=stage, device=device)


def _recording() -> bool:
    """Whether this process belongs to a running Ray; a library user's has not even imported it."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _ray_metrics() -> Any:
    from ray.util import metrics  # only where Ray is in use: see _recording

    return metrics


def _add(metric: Metric, amount: float, **tags: str) -> None:
    if amount > 0 and _recording():  # Ray refuses to count by zero
        _counter(metric).inc(amount, tags)


def _set(metric: Metric, value: float, **tags: str) -> None:
    if _recording():
        _gauge(metric).set(value, tags)
        _standing[metric, tuple(tags.items())] = value
        _keep_standing()


_standing: dict[tuple[Metric, tuple[tuple[str, str], ...]], float] = {}
"""The gauges of this process as they stand. Ray 2.60 exports a value until the next report and then forgets it."""


@cache
def _keep_standing() -> threading.Thread:
    """Set all gauges again and again, so that no scrape misses one that does not change."""

    def repeat() -> None:
        while True:
            time.sleep(GAUGE_EVERY_S)
            if not _recording():
                _standing.clear()
            for (metric, tags), value in list(_standing.items()):
                _gauge(metric).set(value, dict(tags))

    thread = threading.Thread(target=repeat, name="gauges", daemon=True)
    thread.start()
    return thread


@cache
def _counter(metric: Metric) -> Any:
    return _ray_metrics().Counter(metric.name, metric.description, metric.tags)


@cache
def _gauge(metric: Metric) -> Any:
    return _ray_metrics().Gauge(metric.name, metric.description, metric.tags)


@cache
def _histogram(metric: Metric) -> Any:
    return _ray_metrics().Histogram(metric.name, metric.description, list(metric.bounds), metric.tags)
