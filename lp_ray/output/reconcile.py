"""Make the results table agree with a settled plan: one row per planned pair, and no older row of the same request.

The two differ for two reasons. First, one file may appear in a manifest under several ids, or under a new id. Its work
is done once, and each id gets a row. Second, a file may be replaced by another of the same name. Its pairs are then
made again under new keys, and the rows of the old content are retired: they move to the output's history and no longer
count.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.contract.options import PairOptions
from lp_ray.contract.result_schema import DONE
from lp_ray.output import parts
from lp_ray.output.identity import IDENTITY
from lp_ray.output.layout import OutputLayout

REQUEST = ("source_id", "driving_id", "options", "engine")
"""The columns that say what was asked for, whatever the files contained."""
INPUTS = ("source_uri", "source_version", "driving_uri", "driving_version")
"""The columns that say which files, in which version, a row was made from."""


@dataclass(frozen=True)
class Reconciled:
    """How many rows were copied to further ids (`adopted`), how many were retired, and the planned pairs that got no
    row, because they may not have the finished one of other ids (`barred`)."""

    adopted: int = 0
    retired: int = 0
    barred: tuple[int, ...] = ()


def reconcile(
    layout: OutputLayout,
    planned: pa.Table,
    meta: Mapping[str, pa.ChunkedArray],
    failing: NDArray[np.bool_] | None = None,
) -> Reconciled:
    """Bring the results table in line with a plan. The caller must be the only one that changes the table.

    `planned` has one row per pair, with the columns of IDENTITY, REQUEST and INPUTS; `meta` holds its `meta_*` columns.
    Pairs that have no row under any id are left alone. Those that are `failing` for reasons of their own, such as a
    consent that only another id states, adopt only rows that are not done.
    """
    rows = _read(layout, (*IDENTITY, *REQUEST[2:], *INPUTS, "status"))
    if not len(rows) or not len(planned):
        return Reconciled()
    known = _joined(rows, IDENTITY)
    lacking = _rows_where(pc.invert(pc.is_in(_joined(planned, IDENTITY), known)))
    adopted = lacking[_mask(pc.is_in(planned["pair_id"].take(pa.array(lacking)), rows["pair_id"].combine_chunks()))]
    mine = pc.index_in(planned["pair_id"].take(pa.array(adopted)), rows["pair_id"].combine_chunks())
    barred = _mask(pc.equal(rows["status"].take(mine), DONE)) & (False if failing is None else failing[adopted])
    _adopt(layout, planned, meta, adopted[~barred])
    retired = _outdated(rows, planned)
    _retire(layout, _joined(rows.take(pa.array(retired)), IDENTITY))
    return Reconciled(int((~barred).sum()), len(retired), tuple(adopted[barred].tolist()))


def read_history(layout: OutputLayout) -> pa.Table:
    """Return the retired rows, oldest part first."""
    tables = [parts.read_part(info.uri) for info in _history(layout)]
    schema = parts.common_schema([table.schema for table in tables])
    return pa.concat_tables([schema.empty_table(), *(parts.fit(table, schema) for table in tables)])


def _outdated(rows: pa.Table, planned: pa.Table) -> NDArray[np.int64]:
    """Find rows that answer a request of the plan, but from other input files or from other versions of them.

    Only where the planned pair has a row already: an old result stays until the new one exists.
    """
    answered = planned.filter(pc.is_in(planned["pair_id"], rows["pair_id"].combine_chunks()))
    strays = _rows_where(pc.invert(pc.is_in(rows["pair_id"], planned["pair_id"].combine_chunks())))
    if not len(strays) or not len(answered):
        return np.zeros(0, np.int64)
    found = rows.take(pa.array(strays))
    same = _mask(pc.is_in(_joined(found, REQUEST), _joined(answered, REQUEST)))
    current = _mask(pc.is_in(_joined(found, (*REQUEST, *INPUTS)), _joined(answered, (*REQUEST, *INPUTS))))
    return strays[same & ~current]


def _adopt(
    layout: OutputLayout, planned: pa.Table, meta: Mapping[str, pa.ChunkedArray], chosen: NDArray[np.int64]
) -> None:
    """Copy the rows of finished work to the further ids of the same work."""
    if not len(chosen):
        return
    wanted = planned.take(pa.array(chosen))
    whole = _read_pairs(layout, wanted["pair_id"].combine_chunks())
    copies = whole.take(pc.index_in(wanted["pair_id"], whole["pair_id"].combine_chunks()))
    changes: dict[str, Any] = {name: wanted[name] for name in (*IDENTITY[1:], *INPUTS)}
    kept = [name for name in copies.column_names if not name.startswith("meta_")]
    changes |= {name: column.take(pa.array(chosen)) for name, column in meta.items()}
    columns = {name: changes.pop(name) if name in changes else copies[name] for name in kept}
    parts.append(layout, pa.table({**columns, **changes}))


def _retire(layout: OutputLayout, doomed: pa.ChunkedArray) -> None:
    """Move rows from the table to the history. The history is written first: a job killed in between leaves them in
    both."""
    if not len(doomed):
        return
    for uri in parts.part_uris(layout):
        part = parts.read_part(uri)
        hit = pc.is_in(_joined(part, IDENTITY), doomed.combine_chunks())
        if pc.sum(hit).as_py():
            _put(storage.join(layout.history, uri.rpartition("/")[2]), part.filter(hit))
            parts.replace_part(uri, part.filter(pc.invert(hit)))


def _put(uri: str, table: pa.Table) -> None:
    if storage.exists(uri):  # earlier retired rows of the same part
        old = parts.read_part(uri)
        schema = parts.common_schema([old.schema, table.schema])
        table = pa.concat_tables([parts.fit(old, schema), parts.fit(table, schema)])
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    storage.put_bytes(uri, sink.getvalue())


def _history(layout: OutputLayout) -> Sequence[storage.FileInfo]:
    return sorted((i for i in storage.list_files(layout.history) if i.uri.endswith(".parquet")), key=lambda i: i.uri)


def _read(layout: OutputLayout, columns: Sequence[str]) -> pa.Table:
    found = [parts.read_part(uri, columns) for uri in parts.part_uris(layout)]
    schema = pa.schema([(name, pa.string()) for name in columns])
    return pa.concat_tables([schema.empty_table(), *(parts.fit(table, schema) for table in found)])


def _read_pairs(layout: OutputLayout, pair_ids: pa.Array) -> pa.Table:
    found = []
    for uri in parts.part_uris(layout):
        part = parts.read_part(uri)
        found.append(part.filter(pc.is_in(part["pair_id"], pair_ids)))
    schema = parts.common_schema([table.schema for table in found])
    return pa.concat_tables([parts.fit(table, schema) for table in found])


def _joined(table: pa.Table, columns: Sequence[str]) -> pa.ChunkedArray:
    """Return several columns joined into one text per row, separated by NUL, which no column holds. Null is its own
    value."""
    texts = [pc.fill_null(_comparable(name, table[name].cast(pa.string())), "\1") for name in columns]
    return pc.binary_join_element_wise(*texts, "\0")


def _comparable(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return options without those at their default, because rows of older versions do not have the newer options."""
    if name != "options" or not len(column):
        return column
    encoded = column.combine_chunks().dictionary_encode()
    asked = pa.array([_asked(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([asked.take(encoded.indices)])


def _asked(text: str) -> str:
    defaults = asdict(PairOptions())
    try:
        options = dict(json.loads(text))
    except ValueError:  # not written by lp_ray
        return text
    given = {name: value for name, value in options.items() if value != defaults.get(name)}
    return json.dumps(given, sort_keys=True)


def _mask(column: pa.ChunkedArray | pa.Array) -> NDArray[np.bool_]:
    marks: NDArray[np.bool_] = (
        column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    )
    return marks.astype(np.bool_)


def _rows_where(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.flatnonzero(_mask(column))
