"""The Parquet parts under `<output>/results/`: few of them, all with the same schema, and no row in two of them.

A plain reader (`pq.read_table` of the folder) takes the schema of the first part for all parts. So all parts have the
same schema: when a new part brings a new column, or a type for a column whose type was not known, the other parts are
rewritten.

Small parts are merged. The merged part is first written outside the table and lists the parts that it replaces. These
are removed; then the merged part is moved into the table. If a job is killed in between, readers miss rows, but never
see a row twice; the next job finishes the move.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lp_ray import storage
from lp_ray.contract.manifest import META_PREFIX
from lp_ray.contract.result_schema import RESULT_SCHEMA, SECONDS_TYPE
from lp_ray.output.layout import OutputLayout
from lp_ray.storage.guard import guarded

PART_ROWS = 100_000
"""A part with fewer rows is small. A merge holds less than two full parts in memory."""
MANY = 16
"""Number of small parts at which they are merged."""

_REPLACES = b"lp_ray.replaces"


def part_uris(layout: OutputLayout) -> list[str]:
    """Return the table's parts, oldest first."""
    return sorted(info.uri for info in storage.list_files(layout.results) if info.uri.endswith(".parquet"))


@guarded
def read_part(uri: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a part. With `columns`, read only those of them that the part has."""
    with storage.open_read(uri) as file:
        part = pq.ParquetFile(file)
        names = None if columns is None else [name for name in columns if name in part.schema_arrow.names]
        return part.read(names).replace_schema_metadata(None)


@guarded
def read_schema(uri: str) -> pa.Schema:
    """Read a part's schema from its footer."""
    with storage.open_read(uri) as file:
        return pq.read_schema(file).remove_metadata()


def common_schema(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return a schema that fits all the given ones: RESULT_SCHEMA's columns, then others in order of appearance.

    If a column has two types, the wider one is taken. Types without a common wider type become text.
    """
    types: dict[str, pa.DataType] = {field.name: field.type for field in RESULT_SCHEMA}
    types["seconds"] = pa.null()  # its fields are those that the rows have, in their order
    for schema in schemas:
        for field in schema:
            types[field.name] = _wider(types.get(field.name, pa.null()), field.type)
    if pa.types.is_null(types["seconds"]):
        types["seconds"] = SECONDS_TYPE
    return pa.schema(list(types.items()))


def _wider(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(second):
        second = second.value_type
    if first == second:
        return first
    try:
        pair = [pa.schema([("x", first)]), pa.schema([("x", second)])]
        return pa.unify_schemas(pair, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return pa.string()


def fit(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns and types of `schema`; columns that the table lacks are null."""
    columns = [
        _cast(table[field.name], field.type)
        if field.name in table.column_names
        else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _cast(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    try:
        return column.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if type_ != pa.string():
            raise
        texts = [None if value is None else json.dumps(value, default=str) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, type_)])


def append(layout: OutputLayout, rows: pa.Table) -> None:
    """Add a part. The caller makes sure that none of its pairs has a row already."""
    parts = part_uris(layout)
    settled = [read_schema(parts[-1])] if parts else []  # all parts are alike
    schema = common_schema([*settled, rows.schema])
    schema = _known_types(schema)
    if settled and settled[0] != schema:
        align(layout, schema)
    _put(storage.join(layout.results, _name(rows.num_rows)), fit(rows, schema))
    merge_small(layout)


def _known_types(schema: pa.Schema) -> pa.Schema:
    """Leave out columns that never held a value: their type is not known, and no data is lost."""
    return pa.schema([field for field in schema if not pa.types.is_null(field.type)])


def align(layout: OutputLayout, schema: pa.Schema | None = None) -> None:
    """Rewrite parts where needed, so that all have one schema that covers their schemas and `schema`."""
    schemas = {uri: read_schema(uri) for uri in part_uris(layout)}
    wanted = _known_types(common_schema([*schemas.values(), *([schema] if schema is not None else [])]))
    for uri, present in schemas.items():
        if present != wanted:
            _put(uri, fit(read_part(uri), wanted))


def replace_part(uri: str, rows: pa.Table) -> None:
    """Overwrite a part with other rows; delete the part if there are none."""
    if len(rows):
        _put(uri, rows)
    else:
        storage.delete(uri)


def drop_rows(layout: OutputLayout, doomed: pa.Array) -> None:
    """Remove the rows of some pairs. Parts without such rows are not rewritten."""
    for uri in part_uris(layout):
        hit = pc.is_in(read_part(uri, ["pair_id"])["pair_id"], doomed)
        if pc.sum(hit).as_py():
            replace_part(uri, read_part(uri).filter(pc.invert(hit)))


def merge_small(layout: OutputLayout) -> None:
    """If there are many small parts, merge the smallest into one part of less than twice PART_ROWS."""
    small = sorted((rows, uri) for uri in part_uris(layout) if (rows := _rows_in_name(uri)) < PART_ROWS)
    if len(small) < MANY:
        return
    total = np.cumsum([rows for rows, _ in small])
    chosen = sorted(uri for _, uri in small[: max(2, int(np.searchsorted(total, PART_ROWS)) + 1)])
    tables = [read_part(uri) for uri in chosen]
    schema = common_schema([table.schema for table in tables])
    merged = pa.concat_tables([fit(table, _known_types(schema)) for table in tables])
    replaced = [uri.rpartition("/")[2] for uri in chosen]
    name = _name(merged.num_rows)
    _put(storage.join(layout.compaction, name), merged.replace_schema_metadata({_REPLACES: json.dumps(replaced)}))
    _move_in(layout, name, replaced)


def finish_merge(layout: OutputLayout) -> None:
    """Finish a merge that a killed job left half done."""
    for uri, replaced in pending_merges(layout):
        _move_in(layout, uri.rpartition("/")[2], replaced)


def pending_merges(layout: OutputLayout) -> list[tuple[str, list[str]]]:
    """Return merged parts that are not yet in the table, each with the names of the parts that it replaces."""
    found = []
    for info in storage.list_files(layout.compaction):
        if info.uri.endswith(".parquet"):
            with storage.open_read(info.uri) as file:
                found.append((info.uri, json.loads(pq.read_schema(file).metadata[_REPLACES])))
    return found


def _move_in(layout: OutputLayout, name: str, replaced: list[str]) -> None:
    waiting = storage.join(layout.compaction, name)
    storage.delete_many(storage.join(layout.results, old) for old in replaced)
    _put(storage.join(layout.results, name), read_part(waiting))
    storage.delete(waiting)


def _put(uri: str, table: pa.Table) -> None:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    storage.put_bytes(uri, sink.getvalue())


def _name(n_rows: int) -> str:
    return f"part-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{n_rows}-{uuid.uuid4().hex[:8]}.parquet"


def _rows_in_name(uri: str) -> int:
    """Return the number of rows that a part had when it was written, from its name. It may have fewer now."""
    fields = uri.rpartition("/")[2].split("-")
    return int(fields[2]) if len(fields) == 4 and fields[2].isdecimal() else 0


def meta_schema(*tables: pa.Table | None) -> pa.Schema:
    """Return the `meta_*` columns of the manifests with their types: the results carry these columns."""
    fields = [field for table in tables if table is not None for field in table.schema]
    return pa.schema([field for field in fields if field.name.startswith(META_PREFIX)])
