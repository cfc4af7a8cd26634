"""The results table of a large output: `python -m benchmarks.results_table [N_PAIRS]` (a million by default).

Flushes rows as a job does, 5000 at a time, a video file (empty) for each, then times what every later job does with
them. Prints seconds and the peak of memory; asserts that counts are exact and parts few.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from lp_ray import storage
from lp_ray.contract.result_schema import DONE, FAILED
from lp_ray.output import parts as result_parts
from lp_ray.output import results
from lp_ray.output.layout import OutputLayout

FLUSHED = 5000
OPTIONS = '{"animation_region": "all", "audio": "driving", "crf": 20, "crop_scale": 2.3, "paste_back": true}'


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what:<46} {time.perf_counter() - began:8.2f} s   peak {peak:5.2f} GiB", flush=True)


def make_rows(first: int, n: int) -> list[results.ResultRow]:
    now = datetime.now(UTC)
    return [
        {
            "pair_id": f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}",
            "source_id": f"source-{number}",
            "driving_id": f"driving-{number % 1000}",
            "status": FAILED if number % 100 == 0 else DONE,
            "video_uri": f"s3://bucket/out/videos/{number:032x}.mp4",
            "bytes": 0,
            "sha256": f"{number:064x}",
            "engine": "preview",
            "options": OPTIONS,
            "attempts": 1,
            "finished_at": now,
            "meta_tag": None if first == 0 else "x",
        }
        for number in range(first, first + n)
    ]


def main(n_pairs: int, folder: str) -> None:
    layout = OutputLayout(storage.normalise(folder))
    videos = Path(folder) / "videos"
    videos.mkdir()
    ids = []
    flushing = 0.0
    with timed(f"{n_pairs:,} rows written, videos touched"):
        for first in range(0, n_pairs, FLUSHED):
            rows = make_rows(first, min(FLUSHED, n_pairs - first))
            began = time.perf_counter()
            results.flush(layout, rows)
            flushing += time.perf_counter() - began
            for row in rows:
                (videos / f"{row['pair_id']}.mp4").touch()
            ids.append(pa.array([row["pair_id"] for row in rows]))
    parts = result_parts.part_uris(layout)
    print(f"{'  of that in flush, with merging':<46} {flushing:8.2f} s   {len(parts)} parts")
    assert len(parts) <= n_pairs // result_parts.PART_ROWS + result_parts.MANY
    pair_ids = pa.concat_arrays(ids)
    with timed("settled: rows and videos compared"):
        settled = results.settled(layout)
    with timed("look_up of all pairs"):
        found = settled.look_up(pair_ids)
    n_failed = -(-n_pairs // 100)
    assert (int(found.done.sum()), int(found.failed.sum())) == (n_pairs - n_failed, n_failed)
    with timed("gather with nothing left behind"):
        assert results.gather_loose_rows(layout) == 0
    doomed = pair_ids.filter(pa.array(found.failed))
    with timed(f"discard of {len(doomed):,} rows in all parts"):
        results.discard(layout, doomed)
    with timed("discard of a million unknown rows"):
        results.discard(layout, pa.array(np.char.mod("new-%d", np.arange(1_000_000))))
    with timed("read_results"):
        assert results.read_results(folder).num_rows == n_pairs - n_failed


if __name__ == "__main__":
    with TemporaryDirectory(prefix="lp_ray-benchmark-") as where:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, where)
