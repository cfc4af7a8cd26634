"""What planning costs: `python -m benchmarks.plan [PAIRS [CASE …]]` (1,000,000, all cases).

Each case runs in a process of its own, at 10,000 pairs and at PAIRS, and does what a job does on its driver before and
between its work: read and check the manifests, pair, key every pair, leave out what the output settles already (half of
the pairs), name the templates that are needed, cut the rest into the rows that Ray is handed, and write a row of the
results for each. Prints seconds, the processor's time per pair and its ratio (the clock's, on a machine that does
nothing else, is the same), and the peak of memory; fails where a case is over its bounds.

- cross: as many drivings as sources, every one with every other, versions in the manifests
- stated: all sources distinct, one driving, versions in the manifest
- files: the same on local disk, no version in the manifest: a stat each
- listed: the same in an S3 bucket, no version in the manifest: one listing of its one prefix. A process that answers
  listings, and nothing else, stands in for a store of that many objects; it counts its requests.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.contract.failure import Failure
from lp_ray.contract.manifest import read_manifest
from lp_ray.contract.options import PairOptions
from lp_ray.contract.rows import Row, Trace
from lp_ray.coordinator import job as jobs
from lp_ray.coordinator.collector import Unexpected
from lp_ray.coordinator.pairs import PairsJob
from lp_ray.coordinator.reporting import Progress
from lp_ray.coordinator.templates import TemplateFacts, TemplatesMade
from lp_ray.engine.factory import EngineSpec
from lp_ray.output.layout import OutputLayout
from lp_ray.output.lease import acquire
from lp_ray.output.parts import append
from lp_ray.output.results import ResultRow, to_table
from lp_ray.plan.pairing import pair_up
from lp_ray.plan.settings import Settings
from lp_ray.runtime.graph import PAIRS, Graph
from lp_ray.runtime.inline import InlineExecutor
from lp_ray.stages.rows import StagedSegment
from lp_ray.storage import Policy

from .command import command, counts
from .listings import serve_listings

USAGE = "python -m benchmarks.plan [PAIRS [CASE …]]"
CASES = ("cross", "stated", "files", "listed")
SMALL = 10_000
MOST_RATIO = 1.5
"""Time per pair over that at SMALL pairs."""
MOST_GIB = 2.0


class _Silent:
    def update(self, progress: Progress) -> None:
        """Nothing to show."""

    def settled(self, row: ResultRow) -> None:
        """Nothing to log."""

    def note(self, text: str) -> None:
        """Nothing to say."""


class _Workers(InlineExecutor):
    """Workers that take spans as they come, and fail each at once: what is left is the driver's own part."""

    def __init__(self) -> None:
        """Nothing to load."""

    def run(self, graph: Graph, rows: Sequence[Row]) -> Iterator[Any]:
        failed = Trace({}, Failure("animate", "Benchmark", "none"))
        return (StagedSegment.without_content(row, failed) for row in rows)


def manifest(folder: Path, name: str, uris: list[str], stated: bool) -> str:
    columns: dict[str, list[str]] = {"uri": uris, f"{name}_id": [f"{name}-{i}" for i in range(len(uris))]}
    if stated:
        columns["version"] = [f"{i:032x}-{1000 + i}" for i in range(len(uris))]
    pq.write_table(pa.table(columns), folder / f"{name}s.parquet")
    return str(folder / f"{name}s.parquet")


def make_inputs(case: str, n_pairs: int, folder: Path) -> tuple[str, str]:
    """Write the manifests of a case, and the files where it has some; return their paths."""
    n_sources = math.isqrt(n_pairs) if case == "cross" else n_pairs
    uris = [f"s3://bucket/portraits/2026/{i:08d}.jpg" for i in range(n_sources)]
    if case == "files":
        uris = [str(folder / "portraits" / f"{i // 1000:04d}" / f"{i:08d}.jpg") for i in range(n_sources)]
        for i, uri in enumerate(uris):
            if i % 1000 == 0:
                Path(uri).parent.mkdir(parents=True)
            os.close(os.open(uri, os.O_CREAT))
    drivings = [f"s3://bucket/clips/{i:04d}.mp4" for i in range(n_sources if case == "cross" else 1)]
    return (
        manifest(folder, "source", uris, stated=case in ("cross", "stated")),
        manifest(folder, "driving", drivings, stated=True),
    )


def measure(case: str, n_pairs: int, folder: Path) -> dict[str, float]:
    """Do a driver's part of a job twice: with nothing settled, to settle half of it; then timed."""
    sources, drivings = make_inputs(case, n_pairs, folder)
    output = storage.normalise(str(folder / "out"))
    settings = Settings(output, storage.join(output, "templates"), EngineSpec("preview"))
    _child("settle", sources, drivings, output)
    began, worked = time.perf_counter(), time.process_time()
    job = plan(settings, sources, drivings)
    jobs.leave_out_standing(job)
    planned = time.perf_counter()
    assert job.plan.n_done == len(job.plan) // 2 and job.plan.n_done + len(job.plan.todo) == len(job.plan)
    made = TemplatesMade({clip.template_key: TemplateFacts(100, Fraction(25), 0) for clip in job.clips_needed()})
    with acquire(settings.output_layout.lease) as lease:
        handing = PairsJob(job.plan, settings, job.identity, "preview", made, _Silent(), lease, PAIRS)
        handing.run(_Workers(), Unexpected(0))
    assert handing.progress.failed == len(job.plan.todo)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "plan_s": planned - began,
        "hand_out_s": time.perf_counter() - planned,
        "cpu_s": time.process_time() - worked,
        "peak_gib": peak,
    }


def plan(settings: Settings, source_path: str, driving_path: str) -> jobs.Job:
    sources, drivings = read_manifest(source_path, "source"), read_manifest(driving_path, "driving")
    pairs = pair_up("cross", len(sources), len(drivings), PairOptions())
    return jobs.prepare(settings, sources, drivings, None, pairs, Policy())


def settle(sources: str, drivings: str, output: str) -> None:
    """Leave rows and (empty) videos of every other pair, as earlier jobs would have."""
    settings = Settings(output, storage.join(output, "templates"), EngineSpec("preview"))
    ids = plan(settings, sources, drivings).plan.pair_ids
    chosen = ids.take(pa.array(np.arange(1, len(ids), 2)))
    layout = OutputLayout(output)
    videos = Path(layout.videos.removeprefix("file://"))
    videos.mkdir(parents=True)
    template = to_table([{"pair_id": "", "status": "done", "bytes": 0, "attempts": 1}])
    for first in range(0, len(chosen), 100_000):
        piece = chosen.slice(first, 100_000)
        rows = template.take(pa.array(np.zeros(len(piece), np.int64)))
        append(layout, rows.set_column(0, "pair_id", piece))
        for pair_id in piece.to_pylist():
            os.close(os.open(videos / f"{pair_id}.mp4", os.O_CREAT))


def _child(*arguments: str, **environment: str) -> str:
    """Run a step of this module in a process of its own, and return what it printed."""
    command = [sys.executable, "-m", "benchmarks.plan", *arguments]
    ended = subprocess.run(  # noqa: S603 - our own module
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **environment}
    )
    return ended.stdout


def run_case(case: str, n_pairs: int) -> dict[str, float]:
    """Measure a case in a process of its own."""
    with TemporaryDirectory(prefix="lp_ray-benchmark-") as folder, serve_listings(n_pairs) as (environment, requests):
        printed = _child("measure", case, str(n_pairs), folder, **environment)
        answer: dict[str, float] = json.loads(printed.splitlines()[-1])
        return {**answer, "requests": requests() / 2}  # planned twice: once to settle half of it


def arguments(words: Sequence[str]) -> tuple[int, Sequence[str]]:
    """Return the number of pairs and the cases. Raises RefusedError for a word that is neither."""
    (n_pairs,) = counts(words[:1], USAGE) or [1_000_000]
    if unknown := [case for case in words[1:] if case not in CASES]:
        raise RefusedError(f"{unknown[0]!r} must be of {', '.join(CASES)} ({USAGE})")
    return n_pairs, words[1:] or CASES


def main(n_pairs: int, cases: Sequence[str]) -> int:
    print("case          pairs      plan  hand out  CPU us a pair  ratio      peak  requests")
    sound = True
    for case in cases:
        base = 0.0
        for n in (SMALL, n_pairs):
            found = run_case(case, n)
            each = found["cpu_s"] / n
            base = base or each
            sound &= each / base <= MOST_RATIO and found["peak_gib"] <= MOST_GIB
            print(
                f"{case:<8}{n:>11,}{found['plan_s']:>8.2f} s{found['hand_out_s']:>8.2f} s{each * 1e6:>15.1f}"
                f"{each / base:>7.2f}{found['peak_gib']:>6.2f} GiB{found['requests']:>10.0f}",
                flush=True,
            )
    print("within bounds" if sound else f"OVER BOUNDS: ratio {MOST_RATIO}, peak {MOST_GIB} GiB")
    return 0 if sound else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
    elif sys.argv[1:2] == ["settle"]:
        settle(*sys.argv[2:5])
    else:
        command(lambda words: main(*arguments(words)))
