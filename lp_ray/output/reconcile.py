"""What a settled plan and the results table must agree on: each planned pair has its row, and no older row beside it.

Two things make them differ. The same file may stand in a manifest under several ids, or under a new one: the work is
the same and is done once, and every id gets a row. And a file may be replaced under its name: its pairs are made again
under other keys, and rows of what it held before are retired to the output's history, where nothing counts them.
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
from lp_ray.output import parts
from lp_ray.output.layout import OutputLayout

IDENTITY = ("pair_id", "source_id", "driving_id")
"""What makes a row that of one planned pair."""
REQUEST = ("source_id", "driving_id", "options", "engine")
"""What was asked for, whatever the files held."""
INPUTS = ("source_uri", "source_version", "driving_uri", "driving_version")
"""Which files it was made of, in which state."""


@dataclass(frozen=True)
class Reconciled:
    """Rows that were written under further ids, and rows that were retired."""

    adopted: int = 0
    retired: int = 0


def reconcile(layout: OutputLayout, planned: pa.Table, meta: Mapping[str, pa.ChunkedArray]) -> Reconciled:
    """Bring the results table to what a plan asks for; the caller is the only one that changes it.

    `planned` has a row for each pair, with the columns of IDENTITY, REQUEST and INPUTS; `meta` its `meta_*` columns. Of
    pairs that have no row of any id nothing is done.
    """
    rows = _read(layout, (*IDENTITY, *REQUEST[2:], *INPUTS))
    if not len(rows) or not len(planned):
        return Reconciled()
    known = _joined(rows, IDENTITY)
    lacking = _rows_where(pc.invert(pc.is_in(_joined(planned, IDENTITY), known)))
    adopted = lacking[_mask(pc.is_in(planned["pair_id"].take(pa.array(lacking)), rows["pair_id"].combine_chunks()))]
    _adopt(layout, planned, meta, adopted)
    retired = _outdated(rows, planned)
    _retire(layout, _joined(rows.take(pa.array(retired)), IDENTITY))
    return Reconciled(len(adopted), len(retired))


def read_history(layout: OutputLayout) -> pa.Table:
    """Return the rows that were retired, oldest first."""
    tables = [parts.read_part(info.uri) for info in _history(layout)]
    schema = parts.common_schema([table.schema for table in tables])
    return pa.concat_tables([schema.empty_table(), *(parts.fit(table, schema) for table in tables)])


def _outdated(rows: pa.Table, planned: pa.Table) -> NDArray[np.int64]:
    """Find the rows that answer a request which the plan makes too, with other inputs or in other states of them.

    Only where the planned pair has a row now: what stands is not given up for what may never come.
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
    """Write the rows of work that is done under the ids of further pairs."""
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
    """Move rows out of the table, into the history first: a job killed in between leaves them in both."""
    if not len(doomed):
        return
    for uri in parts.part_uris(layout):
        part = parts.read_part(uri)
        hit = pc.is_in(_joined(part, IDENTITY), doomed.combine_chunks())
        if pc.sum(hit).as_py():
            _put(storage.join(layout.history, uri.rpartition("/")[2]), part.filter(hit))
            parts.replace_part(uri, part.filter(pc.invert(hit)))


def _put(uri: str, table: pa.Table) -> None:
    if storage.exists(uri):  # rows of the same part, retired earlier
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
    """Return several columns as one text; null is a value of its own. NUL, which no column holds, stands between."""
    texts = [pc.fill_null(_comparable(name, table[name].cast(pa.string())), "\1") for name in columns]
    return pc.binary_join_element_wise(*texts, "\0")


def _comparable(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return options without those at their default: an older version's rows do not name the newer ones."""
    if name != "options" or not len(column):
        return column
    encoded = column.combine_chunks().dictionary_encode()
    asked = pa.array([_asked(text) for text in encoded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([asked.take(encoded.indices)])


def _asked(text: str) -> str:
    defaults = asdict(PairOptions())
    try:
        options = dict(json.loads(text))
    except ValueError:  # not of our making
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
