"""The plan of an export: which pairs, on which side, in which shard. Made of rows alone, before any video is read.

The same rows and settings give the same plan, to the byte of every shard; its digest says which plan a half-written
export belongs to.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray.base.errors import RefusedError
from lp_ray.contract.measuring import SOURCE_FACE
from lp_ray.dataset.choose import Judged
from lp_ray.dataset.facts import is_fact
from lp_ray.dataset.labels import COLUMN
from lp_ray.dataset.lookup import Texts
from lp_ray.dataset.people import People, as_people, find_people, joined
from lp_ray.dataset.selection import Selection
from lp_ray.dataset.split import CAST, LEFT_OUT, Endpoints, Sides, assign, casts, leaks, who
from lp_ray.dataset.spool import Spool
from lp_ray.output.layout import OutputLayout

LAYOUT = 1
"""Raise this when the same plan gives other files: half-written exports of before are not gone on with."""
_AT_ONCE = 32_768
"""Rows held at a time."""
NOT_CHOSEN, NO_VIDEO, MISSING, REPEATED = "not chosen", "no video", "its video is missing", "the same work again"
APART = "source and driving on different sides"


@dataclass(frozen=True)
class Request:
    """What is asked for. `shard_bytes` of videos, and `shard_samples`, are the most that a shard holds."""

    format: str
    sides: Sides
    seed: int
    shard_bytes: int
    shard_samples: int
    videos: str = "bytes"
    labels: bool = True
    same_person: float | None = 0.45
    """L2 distance up to which faces of sources without a `subject_id` are one person's; None: a file is a person."""


@dataclass(frozen=True)
class Shard:
    """A part of one side. `number` counts from 0 within the side; `places` are its rows in the spool, in order."""

    side: str
    number: int
    places: NDArray[np.int64]


@dataclass(frozen=True)
class Plan:
    """All shards of an export, and how many pairs were left out, by reason. `conditions` chose the others."""

    request: Request
    rows: Spool
    shards: list[Shard]
    left_out: Counter[str]
    conditions: tuple[str, ...]
    digest: str
    people: People = field(default_factory=dict)

    @property
    def n_samples(self) -> int:
        return sum(len(shard.places) for shard in self.shards)

    def places(self, side: str | None = None) -> NDArray[np.int64]:
        """Return the rows of all samples, or of those of one side, in the order of the shards."""
        found = [shard.places for shard in self.shards if side in (None, shard.side)]
        return np.concatenate([np.zeros(0, np.int64), *found])


def make_plan(
    request: Request,
    judged: Iterator[Judged],
    schema: pa.Schema,
    selection: Selection | None,
    stored: pa.ChunkedArray,
    conditions: Sequence[str],
    folder: Path,
    output: str,
) -> Plan:
    """Choose pairs, give each a side, and share them out into shards. The rows chosen are spooled into `folder`.

    `judged` are all rows with all columns, of the flat `schema`. `stored` are the videos that exist, as
    `pair_id/bytes`; `output` is the root of the output, outside of which no row may name a file. Raises RefusedError if
    no pair is left, or a side is empty.
    """
    left_out: Counter[str] = Counter()
    chosen = _chosen(judged, selection, Texts(stored.chunks), left_out, OutputLayout(output))
    rows = Spool.write(folder / "rows.arrow", schema, chosen)
    first = _first_of_each(rows.column("pair_id"))
    left_out[REPEATED] += len(rows) - len(first)
    if not len(first):
        raise RefusedError(f"no pair is left to export: {_counts(left_out) or 'the results are empty'}")
    naming = [name for name in schema.names if name.endswith(_NAMING) or name == CAST]
    table = pa.table({name: rows.column(name) for name in naming}).take(pa.array(first))
    people = _people(request, table, rows, first)
    alike = joined(people, casts(table))
    endpoints = Endpoints.of(*(as_people(who(table, role), alike) for role in ("source", "driving")))
    side = assign(endpoints, request.sides, request.seed)
    if doubled := leaks(endpoints, side):
        raise AssertionError(f"{doubled[0]} is on two sides")
    left_out[APART] += int((side == LEFT_OUT).sum())
    shards = list(_shards(request, rows, first, side))
    return Plan(request, rows, shards, +left_out, tuple(conditions), _digest(request, rows, shards, conditions), people)


def _people(request: Request, table: pa.Table, rows: Spool, first: NDArray[np.int64]) -> People:
    """Return which files show one person. Raises RefusedError for more faces than can be compared."""
    if request.same_person is None or len(request.sides.names) == 1 or SOURCE_FACE not in rows.schema.names:
        return {}
    faces = rows.column(SOURCE_FACE).take(pa.array(first))
    if faces.null_count == len(faces):
        return {}
    try:
        return find_people(who(table, "source"), faces, request.same_person)
    except ValueError as error:
        raise RefusedError(f"{error}: give sources their subject_id, or set same_person=null") from error


_NAMING = ("_subject_id", "source_uri", "driving_uri", "source_id", "driving_id")


def _chosen(
    judged: Iterator[Judged], selection: Selection | None, stored: Texts, left_out: Counter[str], layout: OutputLayout
) -> Iterator[pa.Table]:
    for batch in judged:
        kept = batch.kept if selection is None else batch.kept & selection.has(batch.rows)
        left_out.update(reason for reason in batch.reasons if reason is not None)
        left_out[NOT_CHOSEN] += int((batch.kept & ~kept).sum())
        videos = pc.fill_null(pc.equal(batch.rows["kind"], "video"), False).to_numpy().astype(np.bool_)
        left_out[NO_VIDEO] += int((kept & ~videos).sum())
        stated = pc.binary_join_element_wise(batch.rows["pair_id"], batch.rows["bytes"].cast(pa.string()), "/")
        there = stored.has(stated) & _own_files(batch.rows, layout)
        left_out[MISSING] += int((kept & videos & ~there).sum())
        yield batch.rows.filter(pa.array(kept & videos & there))


def _own_files(rows: pa.Table, layout: OutputLayout) -> NDArray[np.bool_]:
    """Return which rows name no other files than those that a pair has in its output, whoever wrote the rows."""
    own = np.ones(len(rows), np.bool_)
    for name, folder, suffix in (("video_uri", layout.videos, ".mp4"), (COLUMN, layout.labels, ".parquet")):
        if name in rows.column_names:
            place = pc.binary_join_element_wise(f"{folder}/", rows["pair_id"], suffix, "")
            own &= pc.fill_null(pc.equal(rows[name], place), True).to_numpy()
    return own


def _first_of_each(pair_ids: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the places of the first row of each pair: a video goes into a data set once, whatever ids share it."""
    codes = pair_ids.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return np.sort(np.unique(codes, return_index=True)[1]).astype(np.int64)


def _shards(request: Request, rows: Spool, places: NDArray[np.int64], side: NDArray[np.int64]) -> Iterator[Shard]:
    ids = rows.column("pair_id").take(pa.array(places)).to_pylist()
    sizes = rows.column("bytes").take(pa.array(places)).to_numpy()
    ranks = np.array([blake2b(f"{request.seed}\n{name}".encode(), digest_size=8).digest() for name in ids], "S8")
    order = np.argsort(ranks, kind="stable")  # mixed, so that neighbours have neither source nor driving in common
    for number, name in enumerate(request.sides.names):
        mine = order[side[order] == number]
        starts = _starts(sizes[mine], request)
        for shard, part in enumerate(np.split(mine, starts)):
            if len(part):
                yield Shard(name, shard, places[part])


def _starts(sizes: NDArray[np.int64], request: Request) -> list[int]:
    """Return where shards after the first begin: before a shard would hold too many bytes or samples."""
    starts: list[int] = []
    held = count = 0
    for place, size in enumerate(sizes.tolist()):
        if count and (held + size > request.shard_bytes or count >= request.shard_samples):
            starts.append(place)
            held = count = 0
        held, count = held + size, count + 1
    return starts


def _digest(request: Request, rows: Spool, shards: Sequence[Shard], conditions: Sequence[str]) -> str:
    digest = blake2b(json.dumps([LAYOUT, asdict(request), list(conditions)], sort_keys=True).encode(), digest_size=16)
    digest.update(json.dumps([[shard.side, len(shard.places)] for shard in shards]).encode())
    places = np.concatenate([shard.places for shard in shards])
    for first in range(0, len(places), _AT_ONCE):
        table = rows.take(places[first : first + _AT_ONCE])
        for name in sorted(name for name in table.column_names if is_fact(name) or name == "labels_uri"):
            digest.update(f"{name}\n".encode())
            digest.update(_bytes_of(table[name]))
    return digest.hexdigest()


def _bytes_of(column: pa.ChunkedArray) -> bytes:
    """Return the values of a column as text, the same for the same values however they lie in memory."""
    kind = column.type
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    if pa.types.is_nested(kind) or binary:
        return repr(column.to_pylist()).encode()
    texts = pc.fill_null(column.cast(pa.string()), "\0").combine_chunks()
    offsets = pa.array([0, len(texts)], pa.int32())
    return bytes(pc.binary_join(pa.ListArray.from_arrays(offsets, texts), "\1")[0].as_buffer())


def _counts(left_out: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in left_out.most_common() if count)
