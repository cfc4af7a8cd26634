"""The results table under `<output>/results/`: Parquet parts with one visible row per pair.

The row of a finished pair is first written as a small Arrow file of its own, after its video; so every visible row has
its video. The driver process later gathers these rows into Parquet parts and deletes the small files.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.contract.measuring import LABELS, LABELS_COLUMN, METRICS, METRICS_COLUMN, Measuring, at_least
from lp_ray.contract.result_schema import DONE, FILTERED, MEASURED, RESULT_SCHEMA, seconds_type
from lp_ray.output import parts as table_parts
from lp_ray.output.identity import identities
from lp_ray.output.layout import OutputLayout
from lp_ray.output.parts import append, common_schema, fit, meta_schema, part_uris, read_part
from lp_ray.output.relative import resolved, shortened
from lp_ray.quality.table import NAMES as METRIC_NAMES

__all__ = [
    "ResultRow",
    "Settled",
    "append",
    "discard",
    "done_pairs",
    "find_row",
    "flush",
    "gather_loose_rows",
    "mend",
    "meta_schema",
    "read_results",
    "read_row",
    "seconds_per_frame",
    "settled",
    "to_table",
    "write_row",
]

ResultRow = dict[str, Any]
"""Column name -> value. A missing column is null. `meta_*` columns are carried along."""

NOTHING = Measuring()
"""Neither labels nor metrics."""

_READ_AT_ONCE = 500
_SETTLING = ("pair_id", "status", "bytes", "attempts", "finished_at", LABELS_COLUMN, METRICS_COLUMN)


@dataclass(frozen=True)
class Settled:
    """Which pairs an output already settles, as arrays with one entry per pair (a million pairs take 40 MB).

    `done`: the row says done and the video exists with the size that the row states. `failed`, `filtered`: the row says
    so. A pair whose video is missing is in none of them. `attempts` counts how often each pair was tried. `lesser`: the
    pair is done, video and all, but lacks labels or metrics that were asked for; `levels` n x 2: its level of labels
    and of metrics, 0 for none.
    """

    pair_ids: pa.Array
    done: NDArray[np.bool_]
    failed: NDArray[np.bool_]
    filtered: NDArray[np.bool_]
    attempts: NDArray[np.int64]
    lesser: NDArray[np.bool_]
    levels: NDArray[np.int8]

    def look_up(self, pair_ids: pa.Array) -> Settled:
        """Return the entries of `pair_ids`, in their order. A pair without a row gets an entry that is not settled."""
        at = pc.index_in(pair_ids, self.pair_ids)
        known = at.is_valid().to_numpy(zero_copy_only=False)
        where = at.fill_null(0).to_numpy(zero_copy_only=False)
        if not len(self.pair_ids):
            none = np.zeros(len(known), np.bool_)
            n = len(known)
            return Settled(pair_ids, none, none, none, np.zeros(n, np.int64), none, np.zeros((n, 2), np.int8))
        marks = (self.done, self.failed, self.filtered, self.lesser)
        done, failed, filtered, lesser = (known & each[where] for each in marks)
        attempts, levels = np.where(known, self.attempts[where], 0), np.where(known[:, None], self.levels[where], 0)
        return Settled(pair_ids, done, failed, filtered, attempts, lesser, levels.astype(np.int8))


def to_table(rows: Sequence[ResultRow], meta: pa.Schema | None = None) -> pa.Table:
    """Build a table with the columns of RESULT_SCHEMA, then the `meta_*` columns of the rows.

    `meta` gives the types of `meta_*` columns (`meta_schema` of the manifests). Other types are inferred from the
    values.
    """
    known = {field.name: field.type for field in (*RESULT_SCHEMA, *(meta or ()))}
    known |= dict(MEASURED) | dict.fromkeys(METRIC_NAMES, pa.float64())
    known["seconds"] = seconds_type(stage for row in rows for stage in row.get("seconds") or ())
    names = dict.fromkeys([*RESULT_SCHEMA.names, *(name for row in rows for name in row)])
    return pa.table({name: pa.array([row.get(name) for row in rows], known.get(name)) for name in names})


def write_row(layout: OutputLayout, row: ResultRow) -> None:
    """Store the row of one finished pair. Its video must exist already."""
    sink = io.BytesIO()
    table = to_table([shortened(row, layout.root)])
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    storage.put_bytes(layout.row(str(row["pair_id"])), sink.getvalue())


def read_row(layout: OutputLayout, pair_id: str) -> ResultRow | None:
    """Return the row of a finished pair that is not in the table yet, or None."""
    uri = layout.row(pair_id)
    if not storage.exists(uri):
        return None
    row: ResultRow = resolved(_parse_row(storage.read_bytes(uri)), layout.root).to_pylist()[0]
    return row


def read_results(output: str) -> pa.Table:
    """Read the whole results table of an output, including rows that are not gathered yet.

    If a pair has two rows, the later one wins, so that readers see one row per pair_id. Places in the output, which
    rows store relative to it, are URIs here.
    """
    layout = OutputLayout(storage.normalise(output))
    parts = [read_part(uri) for uri in (*part_uris(layout), *merging(layout))]
    tables = [*parts, *loose_tables(loose_rows(layout))]
    schema = common_schema([table.schema for table in tables])
    whole = pa.concat_tables([schema.empty_table(), *(fit(table, schema) for table in tables)])
    return resolved(_latest(whole), layout.root)


def find_row(output: str, pair_id: str, source_id: str, driving_id: str) -> ResultRow:
    """Return the row of one settled pair."""
    wanted = pc.field("pair_id") == pair_id
    found: list[ResultRow] = read_results(output).filter(wanted).to_pylist()
    return next((row for row in found if (row["source_id"], row["driving_id"]) == (source_id, driving_id)), found[0])


def gather_loose_rows(layout: OutputLayout, meta: pa.Schema | None = None) -> int:
    """Repair the table after a stopped job: finish a merge, add loose rows to the table, give all parts one schema.

    `meta` as in `to_table`. Returns the number of rows added.
    """
    table_parts.finish_merge(layout)
    uris = loose_rows(layout)
    if uris:
        rows = [row for table in loose_tables(uris) for row in table.to_pylist()]
        table = _latest(to_table(rows, meta))
        discard(layout, table["pair_id"])  # a job that stopped between append and delete left the rows twice
        append(layout, table)
        storage.delete_many(uris)
    table_parts.align(layout)
    return len(uris)


def mend(layout: OutputLayout) -> None:
    """Finish a change of the table that a job began before it died."""
    table_parts.finish_merge(layout)
    table_parts.align(layout)


def discard(layout: OutputLayout, pair_ids: Iterable[str] | pa.ChunkedArray | pa.Array) -> None:
    """Remove the rows of pairs that are about to be made again."""
    if isinstance(pair_ids, pa.ChunkedArray):
        doomed = pair_ids.combine_chunks()
    else:
        doomed = pair_ids if isinstance(pair_ids, pa.Array) else pa.array(list(pair_ids), pa.string())
    if len(doomed):
        table_parts.drop_rows(layout, doomed)


def settled(layout: OutputLayout, wanted: Measuring = NOTHING) -> Settled:
    """Return which pairs an output already settles. A video is found by its pair key, whatever its suffix.

    A pair that lacks labels or metrics of those that are `wanted` is in none of them.
    """
    parts = [read_part(uri, _SETTLING) for uri in (*part_uris(layout), *merging(layout))]
    parts += [
        table.select([n for n in _SETTLING if n in table.column_names]) for table in loose_tables(loose_rows(layout))
    ]  # only for a dry run
    types = {**dict(MEASURED), **{field.name: field.type for field in RESULT_SCHEMA}}
    schema = pa.schema([(name, types[name]) for name in _SETTLING])
    table = _latest(pa.concat_tables([schema.empty_table(), *(fit(part, schema) for part in parts)]))
    says_done = pc.fill_null(pc.equal(table["status"], DONE), False).to_numpy()
    whole = np.zeros(len(table), np.bool_)
    if says_done.any():
        stated = pc.binary_join_element_wise(table["pair_id"], table["bytes"].cast(pa.string()), "/")
        whole = pc.is_in(stated, stored_videos(layout)).to_numpy()
    attempts = pc.fill_null(table["attempts"], 1).cast(pa.int64()).to_numpy()
    ids = table["pair_id"].combine_chunks()
    says_filtered = pc.fill_null(pc.equal(table["status"], FILTERED), False).to_numpy()
    standing = says_done & whole
    measured = _is_measured(table, layout, wanted) if standing.any() else standing
    return Settled(
        ids,
        standing & measured,
        ~(says_done | says_filtered),
        says_filtered,
        np.maximum(attempts, 1),
        standing & ~measured,
        np.stack([_ranks(table[LABELS_COLUMN], LABELS), _ranks(table[METRICS_COLUMN], METRICS)], 1),
    )


def _ranks(column: pa.ChunkedArray, levels: tuple[str, ...]) -> NDArray[np.int8]:
    """Return the place of each level in `levels`; 0, that of none, for null."""
    found = pc.index_in(column, pa.array(levels)).fill_null(0)
    return np.asarray(found.to_numpy(), np.int8)


def done_pairs(layout: OutputLayout) -> pa.ChunkedArray:
    """Return the ids of all pairs with a `done` row, gathered or loose. Does not check whether their videos exist."""
    columns = ("pair_id", "status")
    tables = [read_part(uri, columns) for uri in (*part_uris(layout), *merging(layout))]
    tables += [table.select(columns) for table in loose_tables(loose_rows(layout))]
    ids = [chunk for t in tables for chunk in t.filter(pc.equal(t["status"], DONE))["pair_id"].chunks]
    return pa.chunked_array(ids, pa.string())


def seconds_per_frame(layout: OutputLayout, engine: str) -> dict[str, float]:
    """Return each stage's seconds of actor time per frame, over the done pairs of an engine; empty if none are done."""
    seconds: dict[str, float] = {}
    n_frames = 0
    for uri in part_uris(layout):
        part = read_part(uri, ("status", "engine", "n_frames", "seconds"))
        chosen = part.filter(pc.and_(pc.equal(part["status"], DONE), pc.equal(part["engine"], engine)))
        n_frames += pc.sum(chosen["n_frames"]).as_py() or 0
        for field in chosen["seconds"].type:
            spent = pc.sum(pc.struct_field(chosen["seconds"], field.name)).as_py() or 0.0
            seconds[field.name] = seconds.get(field.name, 0.0) + spent
    return {stage: spent / n_frames for stage, spent in seconds.items()} if n_frames else {}


def _is_measured(table: pa.Table, layout: OutputLayout, wanted: Measuring) -> NDArray[np.bool_]:
    """Mark the rows whose pairs have the labels and metrics that are wanted."""
    marks = np.ones(len(table), np.bool_)
    for level, levels, column in (
        (wanted.labels, LABELS, LABELS_COLUMN),
        (wanted.metrics, METRICS, METRICS_COLUMN),
    ):
        if level != "none":
            marks &= pc.is_in(table[column], pa.array(at_least(level, levels))).to_numpy()
    if wanted.labels != "none":
        pages = [pa.array([_key(info) for info in page], pa.string()) for page in storage.pages(layout.labels)]
        marks &= pc.is_in(table["pair_id"], pa.chunked_array(pages, pa.string())).to_numpy()
    return marks


def _key(info: storage.FileInfo) -> str:
    return info.uri.rpartition("/")[2].partition(".")[0]


def stored_videos(layout: OutputLayout) -> pa.ChunkedArray:
    """Return the key and size of every video, as `key/size`."""
    pages = [
        pa.array([f"{_key(info)}/{info.size}" for info in page], pa.string()) for page in storage.pages(layout.videos)
    ]
    return pa.chunked_array(pages, pa.string())


def flush(layout: OutputLayout, rows: Sequence[ResultRow], meta: pa.Schema | None = None) -> None:
    """Append rows as one part, then delete the small row files of the `done` pairs among them.

    `meta` as in `to_table`.
    """
    if rows:
        append(layout, to_table([shortened(row, layout.root) for row in rows], meta))
        storage.delete_many(layout.row(str(row["pair_id"])) for row in rows if row["status"] == DONE)


def merging(layout: OutputLayout) -> list[str]:
    """Return merged parts that are not in the table yet."""
    return [uri for uri, _ in table_parts.pending_merges(layout)]


def loose_rows(layout: OutputLayout) -> list[str]:
    """Return the URIs of loose rows, except those of shards that may be running at the same time."""
    uris = [info.uri for page in storage.pages(layout.all_rows, deep=True) for info in page]
    folders = {uri: uri.removeprefix(layout.all_rows + "/").rpartition("/")[0] for uri in uris if _is_row(uri)}
    return sorted(uri for uri, shard in folders.items() if not layout.is_beside(shard))


def _is_row(uri: str) -> bool:
    return uri.endswith(".arrow") and not uri.rpartition("/")[2].startswith(".")


def loose_tables(uris: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the loose rows, a table each."""
    for first in range(0, len(uris), _READ_AT_ONCE):
        yield from map(_parse_row, storage.read_many(uris[first : first + _READ_AT_ONCE]))


def _parse_row(data: bytes) -> pa.Table:
    return pa.ipc.open_stream(data).read_all()


def _latest(table: pa.Table) -> pa.Table:
    """Keep the newest row of each pair, in the order of the table. Of rows with the same time, keep the later one.

    One piece of work may belong to several ids; each of these has its own row.
    """
    kept = latest_rows(table)
    return table if kept is None else table.take(kept)


def latest_rows(table: pa.Table) -> NDArray[np.int64] | None:
    """Return the places of the rows that `read_results` keeps; None: all. Needs columns of IDENTITY and finished_at."""
    if table.num_rows < 2:
        return None
    identity = identities(table)
    codes = identity.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    times = pc.fill_null(table["finished_at"].cast(pa.int64()), 0).to_numpy()
    order = np.lexsort((times, codes))  # stable
    last = order[np.append(np.diff(codes[order]) != 0, True)]
    return None if len(last) == table.num_rows else np.sort(last)
