"""Metrics of a running Ray, scraped as Prometheus scrapes them."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest
import ray
from prometheus_client.parser import text_string_to_metric_families

from lp_ray.base import metrics
from lp_ray.base.metrics import METRICS, exported_names

WAIT_S = 60.0

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""(series name, its own tags) -> value, summed over the processes that recorded it."""


@pytest.fixture(scope="module")
def running_ray() -> Iterator[None]:
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        _system_config={"metrics_report_interval_ms": 500},
    )
    yield
    ray.shutdown()


def scrape() -> Samples:
    """Read every node's exporter and add up what each process there says of our metrics."""
    tags = {name: set(metric.tags) | {"le"} for metric in METRICS for name in exported_names(metric)}
    found: Samples = {}
    for node in ray.nodes():
        url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            samples = [sample for family in families for sample in family.samples if sample.name in tags]
        for sample in samples:
            assert {"SessionName", "NodeAddress", "WorkerId"} <= set(sample.labels)
            key = (sample.name, frozenset((k, v) for k, v in sample.labels.items() if k in tags[sample.name]))
            found[key] = found.get(key, 0.0) + sample.value
    return found


def scrape_until(ready: Callable[[Samples], bool]) -> Samples:
    """Scrape until what was recorded has arrived: processes report every half second."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found = scrape()
        if ready(found):
            return found
        time.sleep(0.25)
    raise AssertionError(f"never arrived; the last scrape: {found}")


@ray.remote(num_cpus=0.1)
class Worker:
    """A stage's actor, as far as metrics are concerned."""

    def work(self) -> None:
        metrics.stage_worked("write", 0.5)
        metrics.cache_looked_up("source", hit=False)
        metrics.cache_looked_up("source", hit=True)
        metrics.engine_busy("animate", "cpu", 0.25)


def key(name: str, **tags: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(tags.items())


@pytest.mark.usefixtures("running_ray")
def test_counters_of_driver_and_actors_move() -> None:
    """What a driver and two actors record adds up in the scrape, and moves when they go on."""
    workers = [Worker.remote() for _ in range(2)]
    metrics.pairs_planned(10)
    metrics.pair_settled("done")
    metrics.pair_settled("failed")
    metrics.pair_failed("track", "NoFaceError")
    metrics.pair_filtered("filter_source", "filter.source.most_yaw")
    metrics.frames_staged(32)
    metrics.frames_staged(0)
    metrics.video_finished(1000)
    metrics.template_settled("made")
    metrics.template_settled("reused", 3)
    metrics.queue_depth("finalizing", 4)
    ray.get([worker.work.remote() for worker in workers])
    worked = key("ray_lp_ray_stage_seconds_total", stage="write")
    first = scrape_until(lambda s: s.get(worked) == 1.0 and key("ray_lp_ray_frames_total") in s)
    assert {name for name, _ in first} == {name for metric in METRICS for name in exported_names(metric)}
    assert first[key("ray_lp_ray_pairs_total", status="done")] == 1
    assert first[key("ray_lp_ray_pairs_planned")] == 10
    assert first[key("ray_lp_ray_errors_total", stage="track", error_class="NoFaceError")] == 1
    assert first[key("ray_lp_ray_filtered_total", stage="filter_source", reason="filter.source.most_yaw")] == 1
    assert first[key("ray_lp_ray_templates_total", outcome="reused")] == 3
    assert first[key("ray_lp_ray_stage_units_total", stage="write")] == 2
    assert first[key("ray_lp_ray_cache_lookups_total", cache="source", outcome="hit")] == 2
    assert first[key("ray_lp_ray_engine_busy_seconds_total", stage="animate", device="cpu")] == 0.5
    assert first[key("ray_lp_ray_queue_depth", queue="finalizing")] == 4

    metrics.pair_settled("done")
    metrics.frames_staged(8)
    metrics.queue_depth("finalizing", 0)
    ray.get(workers[0].work.remote())
    then = scrape_until(lambda s: s.get(worked) == 1.5 and s[key("ray_lp_ray_frames_total")] == 40)
    assert then[key("ray_lp_ray_pairs_total", status="done")] == 2
    assert then[key("ray_lp_ray_pairs_total", status="failed")] == 1
    assert then[key("ray_lp_ray_queue_depth", queue="finalizing")] == 0


def test_outside_ray_nothing_is_recorded_and_no_ray_starts() -> None:
    """A library user's process stays what it was: no Ray, no error."""
    code = (
        "import ray; from lp_ray.base import metrics as m; m.stage_worked('write', 1.0); m.pair_settled('done'); "
        "m.queue_depth('finalizing', 1); print(ray.is_initialized())"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout.split() == ["False"]


def test_declarations_hold_together() -> None:
    """One name, one metric; histograms and only they have bounds, in order."""
    names = [name for metric in METRICS for name in exported_names(metric)]
    assert len(names) == len(set(names))
    for metric in METRICS:
        assert metric.name.startswith("lp_ray_")
        assert bool(metric.bounds) == (metric.kind == "histogram")
        assert list(metric.bounds) == sorted(set(metric.bounds))
