"""Columns of every Arrow type, with what users never meant to put there; Parquet files of them."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fuzz.mutations import Dice, mutate

_BAD_TEXT = b"\xff\xfe broken \xc3"


def _bad_text(n: int) -> pa.Array:
    """Text that is not UTF-8, unchecked, as other writers leave it."""
    good = pa.array([_BAD_TEXT] * n, pa.binary())
    return pa.StringArray.from_buffers(n, good.buffers()[1], good.buffers()[2])


def strange_column(n: int, dice: Dice) -> pa.Array:
    """Return n values of some type."""
    made: list[Any] = [
        lambda: pa.array([dice.text(30) for _ in range(n)]),
        lambda: _bad_text(n),
        lambda: _bad_text(n).dictionary_encode(),
        lambda: pa.array([dice.bytes(dice.below(20)) for _ in range(n)], pa.binary()),
        lambda: pa.array([dice.of((0, 1, -1, 2**63 - 1, -(2**63), None)) for _ in range(n)], pa.int64()),
        lambda: pa.array(
            [dice.of((0.5, 1.0, float("nan"), float("inf"), -0.0, 1e308, None)) for _ in range(n)], pa.float64()
        ),
        lambda: pa.array([1.5] * n, pa.float16()),
        lambda: pa.array([2**64 - 1] * n, pa.uint64()),
        lambda: pa.array([True, None] * n, pa.bool_())[:n],
        lambda: pa.nulls(n),
        lambda: pa.array([[1.0, 2.0, float("nan"), None]] * n, pa.list_(pa.float64())),
        lambda: pa.array([[b"\xff"]] * n, pa.list_(pa.binary())),
        lambda: pa.array([[1, 2, 3, 4]] * n, pa.list_(pa.int32(), 4)),
        lambda: pa.array([[[1.0]] * 4] * n, pa.large_list(pa.list_(pa.float32()))),
        lambda: pa.array([{"a": 1, "b": "x"}] * n),
        lambda: pa.array([[("k", 1)]] * n, pa.map_(pa.string(), pa.int64())),
        lambda: pa.array([datetime.datetime(2026, 1, 1)] * n, pa.timestamp("ns", "Europe/Berlin")),
        lambda: pa.array([datetime.date(2026, 1, 1)] * n),
        lambda: pa.array([datetime.timedelta(days=1)] * n),
        lambda: pa.array([decimal.Decimal("1e30")] * n, pa.decimal256(70, 2)),
        lambda: pa.array([decimal.Decimal("0.5")] * n, pa.decimal128(5, 1)),
        lambda: pa.array(["a"] * n).dictionary_encode(),
        lambda: pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int8()), pa.array([[1.0]])),
        lambda: pa.array(["a"] * n, pa.string_view()),
        lambda: pa.array([b"\xff"] * n, pa.binary(1)),
        lambda: pa.array(["x" * dice.of((10, (1 << 20) + 1))] * n, pa.large_string()),
        lambda: pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)] * n, pa.binary(16))),
        lambda: pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{"] * n, pa.string())),
        lambda: pa.array([datetime.time(1)] * n, pa.time64("us")),
    ]
    return dice.of(made)()


def strange_parquet(table: pa.Table, names: list[str], dice: Dice) -> tuple[bytes, str]:
    """Return a table as Parquet with one or two columns replaced or added, or with strange metadata or sizes."""
    how = dice.of(("columns", "columns", "columns", "metadata", "names", "bomb", "groups", "many", "empty"))
    n = table.num_rows
    if how == "columns":
        for _ in range(dice.of((1, 1, 2))):
            column, which = strange_column(n, dice), dice.of((*names, *table.column_names, "meta_x", dice.text(12)))
            at = table.schema.get_field_index(which)
            table = table.set_column(at, which, column) if at >= 0 else table.append_column(which, column)
            how = f"columns, {which} as {column.type}"
    elif how == "metadata":
        notes = dice.of(
            (
                b"{",
                b"[]",
                b'{"index_columns": 3}',
                b'{"index_columns": ["uri"]}',
                b"\xff",
                b'{"columns": null}',
                b"null",
            )
        )
        table = table.replace_schema_metadata({dice.of((b"pandas", b"lp_ray.fps", b"\xff", b"")): notes})
    elif how == "bomb":
        column = pa.DictionaryArray.from_arrays(
            pa.array([0] * 20_000, pa.int32()), pa.array(["x" * dice.of((1000, 1 << 19, 1 << 20))])
        )
        table = pa.table({dice.of((*table.column_names, "meta_x")): column})
    elif how == "many":
        table = pa.table(
            {**{name: table[name] for name in table.column_names}, **{f"meta_{i}": pa.nulls(n) for i in range(2100)}}
        )
    elif how == "empty":
        table = dice.of(
            (table.slice(0, 0), pa.table({}), pa.table({"": pa.nulls(1)}), table.select(table.column_names[:1]))
        )
    if how == "names":
        return misnamed(table, dice), how
    options = {
        "compression": dice.of(("none", "zstd", "snappy", "gzip")),
        "row_group_size": 1 if how == "groups" else None,
        "version": dice.of(("1.0", "2.6")),
        "use_dictionary": dice.chance(0.7),
        "store_schema": dice.chance(0.7),
    }
    try:
        data = to_parquet(table, **options)
    except (pa.ArrowException, OSError):  # not every type can be written
        data, how = to_parquet(pa.table({name: pa.nulls(n) for name in names})), "nulls"
    return (mutate(data, dice)[0], f"{how}, bytes") if dice.chance(0.15) else (data, how)


def to_parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def misnamed(table: pa.Table, dice: Dice) -> bytes:
    """Return Parquet whose columns' names are spoiled after it was written: not UTF-8, twice, none."""
    data = to_parquet(table, compression="none", store_schema=dice.chance(0.5))
    name = dice.of(table.column_names).encode()
    given = dice.of((b"\xff" * len(name), b"\0" * len(name), b"\xc3" + name[1:], b"." * len(name), name.upper()))
    return re.sub(re.escape(name), lambda _: given, data)


def json_lines(table: pa.Table) -> bytes:
    """Return a table as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()
