"""How long a gallery takes to make, and how much memory: `python -m benchmarks.gallery [ROWS …]`.

Rows are made by code, with twelve metrics and without pictures. Each number of rows runs in a process of its own; its
peak is what it took over the most that it held before.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa

from benchmarks.command import command, counts
from benchmarks.fuzz.watch import peak_rss
from lp_ray.gallery.build import build
from lp_ray.output.layout import OutputLayout
from lp_ray.output.parts import append
from lp_ray.output.results import to_table
from lp_ray.quality.table import NAMES
from lp_ray.storage import normalise

ROWS = (1_000, 10_000, 100_000, 1_000_000)
_PART = 10_000
USAGE = "python -m benchmarks.gallery [ROWS …]"


def make_rows(layout: OutputLayout, n: int) -> None:
    """Write a table of n finished pairs: as many sources as drivings, even metrics."""
    random, side = np.random.default_rng(1), max(1, round(n**0.5))
    for first in range(0, n, _PART):
        rows = [_row(i, side, random) for i in range(first, min(n, first + _PART))]
        append(layout, to_table(rows))


def _row(i: int, side: int, random: np.random.Generator) -> dict[str, object]:
    pair_id = hashlib.blake2b(str(i).encode(), digest_size=16).hexdigest()
    source, driving = f"s{i // side:05d}", f"d{i % side:05d}"
    return {
        **{"pair_id": pair_id, "source_id": source, "driving_id": driving, "status": "done", "kind": "video"},
        **{"source_uri": f"file:///in/{source}.jpg", "driving_uri": f"file:///in/{driving}.mp4"},
        **{"video_uri": f"videos/{pair_id}.mp4", "n_frames": 75, "duration_s": 3.0, "width": 512, "height": 512},
        **{"engine": "preview", "options": "{}", "bytes": 400_000, "sha256": "0" * 64, "lp_ray_version": "0.2.0"},
        "finished_at": datetime(2026, 11, 1, tzinfo=UTC),
        **dict(zip(NAMES[:12], random.uniform(0, 1, 12).tolist(), strict=True)),
    }


def measure(folder: str) -> None:
    """Make the gallery of an output and print what it took."""
    before, started = peak_rss(), time.perf_counter()
    made = build(folder, pictures=False)
    seconds = time.perf_counter() - started
    peak = peak_rss() - before
    size = sum(path.stat().st_size for path in (Path(folder) / "gallery").rglob("*") if path.is_file())
    print(f"| {made.rows:,} | {seconds:.1f} | {peak / 1e6:.0f} | {size / 1e6:.1f} |", flush=True)


def main(numbers: list[int]) -> None:
    """Measure each number of rows."""
    print("| rows | s | MB of memory | MB of files |\n|---|---|---|---|", flush=True)
    spawn = multiprocessing.get_context("spawn")
    for n in numbers:
        with TemporaryDirectory(prefix="lp_ray-gallery-") as folder:
            make_rows(OutputLayout(normalise(folder)), n)
            pa.default_memory_pool().release_unused()
            child = spawn.Process(target=measure, args=(folder,))
            child.start()
            child.join()


if __name__ == "__main__":
    command(lambda words: main(counts(words, USAGE) or list(ROWS)))
