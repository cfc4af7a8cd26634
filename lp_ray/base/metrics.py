"""The Prometheus metrics of a running job. They are declared here as data and recorded with the functions below.

On each node, Ray's agent serves what the processes there recorded, under the names that `exported_names` gives. Outside
Ray nothing is recorded, on purpose: a program that uses the engines or media as a library has no metrics. Each fact is
recorded where it is known first-hand: settled pairs by the driver process, work by the actors.

Times are counters of seconds, not histograms. Ray 2.60 computes a histogram's sum from the middles of its buckets (one
observation of 0.5 s between the bounds 0.1 and 1 became 0.55). A counter is exact, and its rate is the share of time
spent. The one histogram exists for quantiles.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

Kind = Literal["counter", "gauge", "histogram"]
CacheName = Literal["source", "paste_back", "template", "prepared", "tracks", "source_view"]

GAUGE_EVERY_S = 0.5
"""Seconds between two updates of a gauge; shorter than Ray's report interval."""

PREFIX = "ray_"
"""Ray adds this in front of every name that it exports."""


@dataclass(frozen=True)
class Metric:
    """One metric. When it is recorded, all `tags` must be given. `bounds` are the bucket bounds of a histogram, in its
    unit."""

    name: str
    kind: Kind
    description: str
    tags: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


PAIRS = Metric("lp_ray_pairs", "counter", "Pairs settled by this job, by status (done or failed).", ("status",))
PAIRS_PLANNED = Metric("lp_ray_pairs_planned", "gauge", "Pairs that the running job has to make.")
ERRORS = Metric("lp_ray_errors", "counter", "Failed pairs by stage and class of error.", ("stage", "error_class"))
FILTERED = Metric("lp_ray_filtered", "counter", "Pairs left out by filters, by stage and reason.", ("stage", "reason"))
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
    *(PAIRS, PAIRS_PLANNED, ERRORS, FILTERED, FRAMES, BYTES, TEMPLATES),
    *(STAGE_SECONDS, STAGE_UNITS, STAGE_DURATION, QUEUE, CACHE, ENGINE_BUSY),
)
"""All metrics; the dashboard may refer to these."""


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
    """Record that a pair got its row."""
    _add(PAIRS, 1, status=status)


def pair_failed(stage: str, error_class: str) -> None:
    """Record why a pair failed (in addition to `pair_settled`)."""
    _add(ERRORS, 1, stage=stage, error_class=error_class)


def pair_filtered(stage: str, reason: str) -> None:
    """Record why a filter left a pair out (in addition to `pair_settled`)."""
    _add(FILTERED, 1, stage=stage, reason=reason)


def pairs_planned(count: int) -> None:
    """Record how many pairs the job has to make."""
    _set(PAIRS_PLANNED, count)


def frames_staged(count: int) -> None:
    """Record finished frames. Each is counted once, even if an actor repeats it."""
    _add(FRAMES, count)


def video_finished(n_bytes: int) -> None:
    """Record that a video of this size was written to the output."""
    _add(BYTES, n_bytes)


def template_settled(outcome: Literal["made", "reused", "failed"], count: int = 1) -> None:
    """Record that motion templates were made, were found in the store, or could not be made."""
    _add(TEMPLATES, count, outcome=outcome)


def stage_worked(stage: str, seconds: float) -> None:
    """Record that an actor of a stage, or a finalize task, finished a unit of work in `seconds`."""
    _add(STAGE_SECONDS, seconds, stage=stage)
    _add(STAGE_UNITS, 1, stage=stage)
    if _recording():
        _histogram(STAGE_DURATION).observe(seconds, {"stage": stage})


def queue_depth(queue: Literal["open_pairs", "finalizing", "unwritten_rows"], depth: int) -> None:
    """Record how many items wait in a queue at this moment."""
    _set(QUEUE, depth, queue=queue)


def cache_looked_up(cache: CacheName, hit: bool) -> None:
    """Record a lookup in an actor's cache."""
    _add(CACHE, 1, cache=cache, outcome="hit" if hit else "miss")


def engine_busy(stage: str, device: str, seconds: float) -> None:
    """Record how long an engine actor's device computed. `device` is written as in torch (`cuda`, `cpu`)."""
    _add(ENGINE_BUSY, seconds, stage=stage, device=device)


def _recording() -> bool:
    """Return whether Ray is running in this process. A library user's process has not even imported Ray."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _ray_metrics() -> Any:
    from ray.util import metrics  # only where Ray is in use: see _recording

    return metrics


def _add(metric: Metric, amount: float, **tags: str) -> None:
    if amount > 0 and _recording():  # Ray does not allow an increment of zero
        _counter(metric).inc(amount, tags)


def _set(metric: Metric, value: float, **tags: str) -> None:
    if _recording():
        _gauge(metric).set(value, tags)
        _standing[metric, tuple(tags.items())] = value
        _keep_standing()


_standing: dict[tuple[Metric, tuple[tuple[str, str], ...]], float] = {}
"""The present values of this process's gauges. Ray 2.60 exports a value until the next report and then forgets it."""


@cache
def _keep_standing() -> threading.Thread:
    """Set all gauges again and again, so that Ray reports them even if they do not change."""

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
