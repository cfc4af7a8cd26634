"""Outputs made by code: rows of a results table, with or without videos beside them."""

from __future__ import annotations

import hashlib
import time
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.output.layout import OutputLayout
from lp_ray.output.parts import append
from lp_ray.output.results import ResultRow, flush, to_table

WHEN = datetime(2026, 11, 1, tzinfo=UTC)


def layout_of(folder: Path) -> OutputLayout:
    return OutputLayout(storage.normalise(str(folder)))


def row(layout: OutputLayout, source: str, driving: str, video: bytes | None = None, **more: Any) -> ResultRow:
    """Return the row of a finished pair, and write its video if there is one."""
    pair_id = hashlib.blake2b(f"{source}\n{driving}".encode(), digest_size=16).hexdigest()
    made: ResultRow = {"pair_id": pair_id, "source_id": source, "driving_id": driving, "status": "done"}
    made |= {"source_uri": f"file:///in/{source}.jpg", "driving_uri": f"file:///in/{driving}.mp4"}
    made |= {"kind": "video", "n_frames": 50, "fps": {"numerator": 25, "denominator": 1}, "duration_s": 2.0}
    made |= {"width": 64, "height": 48, "engine": "preview", "licences": ["MIT"], "options": '{"paste_back": true}'}
    made |= {"video_uri": layout.result(pair_id, ".mp4"), "finished_at": WHEN, "lp_ray_version": "0.2.0"}
    if video is not None:
        storage.put_bytes(made["video_uri"], video)
        made |= {"bytes": len(video), "sha256": hashlib.sha256(video).hexdigest()}
    return made | more


def write(layout: OutputLayout, rows: list[ResultRow], metrics: Mapping[str, list[float | None]] | None = None) -> None:
    """Write the table of an output; `metrics` are columns beside the rows'."""
    columns = dict(metrics or {})
    flush(layout, [made | {name: values[n] for name, values in columns.items()} for n, made in enumerate(rows)])


def many(
    layout: OutputLayout, n: int, n_sources: int, n_drivings: int, faces: NDArray[np.floating] | None = None
) -> None:
    """Write a table of `n` finished pairs with metrics, without videos, from columns. `faces` are the sources'
    embeddings (n_sources x 128)."""
    random = np.random.default_rng(7)
    source, driving = np.divmod(np.arange(n), n // n_sources)
    base = to_table([row(layout, "s", "d", bytes=1_500_000, sha256="0" * 64)])
    index = pa.array(np.zeros(min(n, 100_000), np.int64))
    for first in range(0, n, 100_000):
        stop = min(n, first + 100_000)
        window = slice(first, stop)
        table = base.take(index.slice(0, stop - first))
        ids = [hashlib.blake2b(b"%d" % i, digest_size=16).hexdigest() for i in range(first, stop)]
        sources = [f"s{i:06d}" for i in source[window]]
        drivings = [f"d{i:06d}" for i in driving[window] % n_drivings]
        new: dict[str, Any] = {
            "pair_id": ids,
            "source_id": sources,
            "driving_id": drivings,
            "source_uri": [f"file:///in/{name}.jpg" for name in sources],
            "driving_uri": [f"file:///in/{name}.mp4" for name in drivings],
            "video_uri": [f"videos/{name}.mp4" for name in ids],
        }
        for name, values in new.items():
            table = table.set_column(table.column_names.index(name), name, pa.array(values))
        table = table.append_column("identity_mean", pa.array(random.uniform(0.5, 1, stop - first)))
        table = table.append_column("jitter", pa.array(random.uniform(0, 4, stop - first)))
        if faces is not None:
            each = pa.FixedSizeListArray.from_arrays(pa.array(faces[source[window]].ravel(), pa.float32()), 128)
            table = table.append_column("source_face", each.cast(pa.list_(pa.float32())))
        append(layout, table)


_POOLS: list[pa.MemoryPool] = []
"""Pools live as long as the process: buffers that were taken from them may outlive the measurement."""


@dataclass
class Spent:
    """Seconds, and the most bytes that Arrow and Python held at a time."""

    seconds: float = 0.0
    arrow: int = 0
    python: int = 0

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, at most {self.arrow / 1e6:.0f} MB of Arrow, {self.python / 1e6:.0f} MB of Python"


@contextmanager
def measured() -> Iterator[Spent]:
    """Measure what is done inside. What was held before does not count."""
    before, spent, started = pa.default_memory_pool(), Spent(), time.perf_counter()
    pool = pa.proxy_memory_pool(before)
    _POOLS.append(pool)
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        yield spent
    finally:
        spent.python = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        pa.set_memory_pool(before)
        spent.arrow, spent.seconds = pool.max_memory(), time.perf_counter() - started
