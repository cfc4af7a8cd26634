"""A running job, watched: its metrics as Prometheus scrapes them, its log, its summary, its webhook."""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import skimage.data
import skimage.io
from prometheus_client.parser import text_string_to_metric_families

from lp_ray.base.metrics import CACHE, METRICS, exported_names
from tests.cluster.nodes import Ended, HeadProcess
from tests.running import Performances, write_manifest

WAIT_S = 180.0
N_PAIRS = 5

Sample = tuple[str, tuple[tuple[str, str], ...]]


@pytest.fixture
def posted() -> Iterator[tuple[str, list[bytes]]]:
    """A web server: its address, and what was POSTed to it."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook?token=s3cret", bodies
    server.shutdown()
    server.server_close()
    thread.join()


def scrape(port: int) -> dict[Sample, float]:
    """Read the node's exporter as Prometheus does; sum each of our series over the processes."""
    tags = {name: set(metric.tags) for metric in METRICS for name in exported_names(metric)}
    found: dict[Sample, float] = {}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = [*text_string_to_metric_families(answer.read().decode())]
    for sample in (sample for family in families for sample in family.samples if sample.name in tags):
        key = (sample.name, tuple(sorted((k, v) for k, v in sample.labels.items() if k in tags[sample.name])))
        found[key] = found.get(key, 0.0) + sample.value
    return found


def total(samples: dict[Sample, float], name: str, **tags: str) -> float:
    return sum(value for (n, t), value in samples.items() if n == name and tags.items() <= dict(t).items())


def scrape_until(port: int, ready: Callable[[dict[Sample, float]], bool], job: threading.Thread) -> dict[Sample, float]:
    deadline = time.monotonic() + WAIT_S
    while job.is_alive() and time.monotonic() < deadline:
        try:
            samples = scrape(port)
        except OSError:  # the node's agent comes up a little later than its head
            samples = {}
        if ready(samples):
            return samples
        time.sleep(0.25)
    raise AssertionError(f"never seen in the running job: {scrape(port)}")


@pytest.mark.timeout(500)
def test_a_running_job_is_seen_from_outside(
    head: HeadProcess, performances: Performances, tmp_path: Path, posted: tuple[str, list[bytes]]
) -> None:
    """Counters move while the job runs; each pair has its line of log; the summary says what the table says."""
    face, output = tmp_path / "face.png", tmp_path / "out"
    skimage.io.imsave(face, skimage.data.astronaut()[::2, ::2])
    rows: list[dict[str, Any]] = [
        {"uri": str(face), "source_id": str(i), "box": [20.0 + i, 20.0, 200.0, 200.0]} for i in range(N_PAIRS - 1)
    ]
    (tmp_path / "bad.png").write_text("no picture")
    sources = write_manifest(
        tmp_path / "s.parquet", [*rows, {"uri": str(tmp_path / "bad.png"), "source_id": "bad", "box": None}]
    )
    command = [
        *(sys.executable, "-m", "jobs.animate", "cluster=auto", f"sources={sources}", f"driving={performances.talk}"),
        *(f"output={output}", "preset=ultrafast", "log=json", f"webhook={posted[0]}", "webhook_private=true"),
    ]
    ended: list[Ended] = []
    job = threading.Thread(target=lambda: ended.append(head.jobs.submit(*command)))
    job.start()
    frames, pairs = "ray_lp_ray_frames_total", "ray_lp_ray_pairs_total"
    first = scrape_until(head.metrics_port, lambda s: total(s, frames) > 0 and total(s, pairs, status="done") > 0, job)
    then = scrape_until(head.metrics_port, lambda s: total(s, frames) > total(first, frames), job)
    seen = {**first, **then}
    for stage in ("track", "extract", "source", "animate", "write", "finalize"):
        assert total(seen, "ray_lp_ray_stage_seconds_total", stage=stage) > 0, stage
    assert total(seen, "ray_lp_ray_engine_busy_seconds_total", stage="animate", device="cpu") > 0
    assert total(seen, "ray_lp_ray_pairs_planned") == N_PAIRS
    assert {dict(tags)["cache"] for (name, tags) in seen if name == exported_names(CACHE)[0]} == {
        *("source", "paste_back", "template", "prepared")
    }
    job.join()
    assert ended[0].code != 0 and ended[0].output.count("s3cret") <= 1, ended[0].output  # 1: Ray repeats the command

    table = {row["pair_id"]: row for row in pq.read_table(output / "results").to_pylist()}
    lines = [json.loads(line) for line in ended[0].output.splitlines() if line.startswith('{"time"')]
    settled = {line["pair_id"]: line for line in lines if line["event"] == "pair"}
    assert {pair: line["status"] for pair, line in settled.items()} == {p: row["status"] for p, row in table.items()}
    failed = next(line for line in settled.values() if line["status"] == "failed")
    assert (failed["stage"], failed["source_id"]) == ("source", "bad")
    assert {line["event"] for line in lines} == {"note", "progress", "pair"}

    summary = next((output / "summaries").glob("*.json")).read_bytes()
    assert posted[1] == [summary]
    told = json.loads(summary)
    assert told["outcome"] == "some_failed" and told["pairs"] == {"done": N_PAIRS - 1, "failed": 1, "filtered": 0}
    assert told["frames"] == sum(row["n_frames"] or 0 for row in table.values())
