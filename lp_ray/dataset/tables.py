"""The tables of samples: one Parquet file for each side, a row for each video, whatever holds the videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lp_ray.dataset.facts import is_fact, published
from lp_ray.dataset.plan import Plan
from lp_ray.dataset.target import File, Finished, Target

_AT_ONCE = 4096


def table_name(format_: str, side: str) -> str:
    """Return what the table of a side is called: where Hugging Face's VideoFolder looks for it, else apart."""
    return f"{side}/metadata.parquet" if format_ == "videofolder" else f"metadata/{side}.parquet"


def columns_of(plan: Plan) -> list[str]:
    """Return the facts that any sample has."""
    return [
        name for name in plan.rows.schema.names if is_fact(name) and plan.rows.column(name).null_count < len(plan.rows)
    ]


def write_tables(plan: Plan, shards: Sequence[Finished], target: Target, folder: Path) -> list[File]:
    """Write the table of each side: `file_name` or `shard` says where the video is, then all facts."""
    files = []
    for side in plan.request.sides.names:
        path = folder / "table.parquet"
        _write(plan, [shard for shard in shards if shard.side == side], side, path)
        files.append(target.put(path, table_name(plan.request.format, side)))
        path.unlink()
    return files


def _write(plan: Plan, shards: Sequence[Finished], side: str, path: Path) -> None:
    names = columns_of(plan)
    in_files = plan.request.format == "videofolder"
    places = plan.places(side)
    shard_of = np.repeat(np.arange(len(shards)), [shard.n for shard in shards])
    schema = pa.schema(
        [
            ("file_name" if in_files else "shard", pa.string()),
            ("split", pa.string()),
            *((name, plan.rows.schema.field(name).type) for name in names),
        ]
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for first in range(0, len(places), _AT_ONCE):
            rows = published(plan.rows.take(places[first : first + _AT_ONCE]))
            of = [shards[number].name for number in shard_of[first : first + _AT_ONCE].tolist()]
            if in_files:
                inside = (name.removeprefix(f"{side}/") for name in of)
                of = [f"{name}/{key}.mp4" for name, key in zip(inside, rows["pair_id"].to_pylist(), strict=True)]
            sides = pa.array([side] * rows.num_rows)
            writer.write_table(pa.table([pa.array(of), sides, *(rows[name] for name in names)], schema=schema))
