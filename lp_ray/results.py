"""The results table under `<output>/results/`: Parquet parts, one visible row per pair.

A finished pair's row is first a small Arrow file of its own (written after its video, so a visible row is
whole); the driver gathers such rows into Parquet parts and removes the small files.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lp_ray import storage
from lp_ray.layout import OutputLayout
from lp_ray.manifest import DONE, RESULT_SCHEMA

VIDEO, GIF, FRAMES, IMAGE = "video", "gif", "frames", "image"
"""What a result can be: an mp4, a GIF, a zip of PNG frames, one PNG."""

ResultRow = dict[str, Any]
"""Column name -> value; columns absent from it are null. `meta_*` columns ride along."""


def to_table(rows: Sequence[ResultRow]) -> pa.Table:
    """Build a table in RESULT_SCHEMA, followed by the `meta_*` columns the rows carry."""
    names = {name: None for row in rows for name in row if name not in RESULT_SCHEMA.names}
    columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in RESULT_SCHEMA}
    return pa.table({**columns, **{name: pa.array([row.get(name) for row in rows]) for name in names}})


def write_row(layout: OutputLayout, row: ResultRow) -> None:
    """Make one finished pair's row durable; the video must be in place already."""
    sink = io.BytesIO()
    table = to_table([row])
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    storage.put_bytes(layout.row(str(row["pair_id"])), sink.getvalue())


def read_row(layout: OutputLayout, pair_id: str) -> ResultRow | None:
    """Return the row of a finished pair that is not in the table yet, or None."""
    uri = layout.row(pair_id)
    if not storage.exists(uri):
        return None
    row: ResultRow = _read_row(uri).to_pylist()[0]
    return row


def read_results(output: str) -> pa.Table:
    """Read the whole results table of an output: rows gathered so far, and those not gathered yet.

    The later row wins where a pair stands twice, so that readers see one row per pair_id.
    """
    layout = OutputLayout(storage.normalise(output))
    parts = [_read_part(uri) for uri in _parts(layout)]
    loose = [_read_row(uri) for uri in _loose_rows(layout)]
    table = _concat([*parts, *loose])
    return _latest(table)


def gather_loose_rows(layout: OutputLayout) -> int:
    """Move the rows that a stopped job left behind into the table; return how many."""
    uris = _loose_rows(layout)
    if uris:
        rows = _latest(_concat([_read_row(uri) for uri in uris]))
        discard(layout, rows["pair_id"].to_pylist())  # a job stopped between appending and deleting left both
        append(layout, rows)
        storage.delete(*uris)
    return len(uris)


def append(layout: OutputLayout, rows: pa.Table) -> None:
    """Add a part to the table. The caller has seen to it that no pair in it has a row already."""
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    name = f"part-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}.parquet"
    storage.put_bytes(storage.join(layout.results, name), sink.getvalue())


def discard(layout: OutputLayout, pair_ids: Iterable[str]) -> None:
    """Remove the rows of pairs that are about to be made again."""
    doomed = pa.array(list(pair_ids), pa.string())
    if not len(doomed):
        return
    for uri in _parts(layout):
        part = _read_part(uri)
        kept = part.filter(pc.invert(pc.is_in(part["pair_id"], doomed)))
        if kept.num_rows == 0:
            storage.delete(uri)
        elif kept.num_rows < part.num_rows:
            sink = io.BytesIO()
            pq.write_table(kept, sink)
            storage.put_bytes(uri, sink.getvalue())


def standing(layout: OutputLayout) -> tuple[set[str], dict[str, int]]:
    """Return what an output already settles: the done pairs, and the other rows with their attempts.

    A pair is done when its row says so and its video is present in the size the row states.
    """
    table = _latest(
        _concat([_read_part(uri, ["pair_id", "status", "bytes", "attempts", "finished_at"]) for uri in _parts(layout)])
    )
    videos = {info.uri.rsplit("/", 1)[-1].removesuffix(".mp4"): info.size for info in storage.list_files(layout.videos)}
    done: set[str] = set()
    others: dict[str, int] = {}
    for pair_id, status, size, attempts in zip(
        *(table[name].to_pylist() for name in ("pair_id", "status", "bytes", "attempts")), strict=True
    ):
        if status != DONE:
            others[pair_id] = attempts or 1
        elif videos.get(pair_id) == size:
            done.add(pair_id)
    return done, others


def flush(layout: OutputLayout, rows: Sequence[ResultRow]) -> None:
    """Append rows as one part, then drop the small files of those among them that had one."""
    if rows:
        append(layout, to_table(rows))
        storage.delete(*(layout.row(str(row["pair_id"])) for row in rows if row["status"] == DONE))


def _parts(layout: OutputLayout) -> list[str]:
    return sorted(info.uri for info in storage.list_files(layout.results) if info.uri.endswith(".parquet"))


def _loose_rows(layout: OutputLayout) -> list[str]:
    return sorted(info.uri for info in storage.list_files(layout.rows) if info.uri.endswith(".arrow"))


def _read_part(uri: str, columns: list[str] | None = None) -> pa.Table:
    return pq.read_table(io.BytesIO(storage.read_bytes(uri)), columns=columns)


def _read_row(uri: str) -> pa.Table:
    return pa.ipc.open_stream(storage.read_bytes(uri)).read_all()


def _concat(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables([RESULT_SCHEMA.empty_table(), *tables], promote_options="permissive")


def _latest(table: pa.Table) -> pa.Table:
    """Keep each pair's newest row, in the order of the table."""
    newest: dict[str, tuple[Any, int]] = {}
    times = table["finished_at"].cast(pa.int64()).to_pylist()
    for row, (pair_id, time) in enumerate(zip(table["pair_id"].to_pylist(), times, strict=True)):
        if pair_id not in newest or (time or 0) >= newest[pair_id][0]:
            newest[pair_id] = (time or 0, row)
    return table.take(np.sort([row for _, row in newest.values()]).astype(np.int64))
