"""The contract with users: columns of the manifests that come in and of the results that go out.

This is the one place for column names. Manifests are Parquet, read whole as Arrow tables; every check names the
row (counted from 0), the column and the remedy, and raises RefusedError before any work starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lp_ray import storage
from lp_ray.base.errors import InputError, RefusedError
from lp_ray.base.names import nearest
from lp_ray.contract.face_rules import ALL_FACES, FACE_RULES
from lp_ray.contract.media_kinds import MEDIA
from lp_ray.contract.options import ALIASES, option_names
from lp_ray.contract.variants import SUBJECTS

META_PREFIX = "meta_"

Kind = Literal["source", "driving", "pair"]

SOURCE_COLUMNS = {
    "uri": pa.string(),
    "source_id": pa.string(),
    "face": pa.string(),
    "box": pa.list_(pa.float64()),
    "subject": pa.string(),
    "media": pa.string(),
    "version": pa.string(),
}
DRIVING_COLUMNS = {
    "uri": pa.string(),
    "driving_id": pa.string(),
    "face": pa.string(),
    "start_s": pa.float64(),
    "end_s": pa.float64(),
    "version": pa.string(),
}
PAIR_COLUMNS = {"source_id": pa.string(), "driving_id": pa.string()}
_COLUMNS: dict[Kind, dict[str, pa.DataType]] = {
    "source": SOURCE_COLUMNS,
    "driving": DRIVING_COLUMNS,
    "pair": PAIR_COLUMNS,
}


def read_manifest(uri: str, kind: Kind) -> pa.Table:
    """Read and check one manifest.

    The answer has every column of its kind in the declared type (absent ones null, ids filled in from the
    uri), then any `meta_*` and option columns as they were. Raises RefusedError.
    """
    try:
        with storage.local_copy(uri) as path:
            table = pq.read_table(path)
    except InputError as error:
        raise RefusedError(f"{kind} manifest: {error} (make one with `python -m jobs.manifest`)") from error
    except (pa.ArrowException, OSError) as error:
        raise RefusedError(f"{kind} manifest {uri}: not a Parquet file: {error}") from error
    return check_manifest(table, kind, where=f"{kind} manifest {uri}")


def check_manifest(table: pa.Table, kind: Kind, where: str) -> pa.Table:
    """Check a manifest table and return it in the declared types; see `read_manifest`."""
    if table.num_rows == 0:
        raise RefusedError(f"{where}: no rows")
    known = _COLUMNS[kind]
    if kind == "pair":
        table = table.rename_columns([ALIASES.get(name, name) for name in table.column_names])
    _check_names(table, kind, where)
    columns = {name: _cast(table, name, type_, where) for name, type_ in known.items()}
    if kind == "pair":
        for name in PAIR_COLUMNS:
            _require(columns[name], name, where)
    else:
        _require(columns["uri"], "uri", where)
        _check_faces(columns["face"], where, (ALL_FACES,) if kind == "source" else ())
        id_column = f"{kind}_id"
        columns[id_column] = pc.coalesce(columns[id_column], columns["uri"])
        _check_unique(columns[id_column], id_column, where)
    if kind == "source":
        _check_boxes(columns["box"], where)
        _check_words(columns["subject"], "subject", SUBJECTS, where)
        _check_words(columns["media"], "media", MEDIA, where)
        _check_boxes_of_all(columns, where)
    if kind == "driving":
        _check_cuts(columns["start_s"], columns["end_s"], where)
    extra = {name: table[name] for name in table.column_names if name not in known}
    return pa.table({**columns, **extra})


def option_columns(pairs: pa.Table) -> list[str]:
    """Names of the per-pair option columns that a pairs manifest holds."""
    return [name for name in pairs.column_names if name in option_names()]


def meta_columns(table: pa.Table) -> list[str]:
    """Names of the `meta_*` columns that are carried into the results."""
    return [name for name in table.column_names if name.startswith(META_PREFIX)]


def check_meta_names(*tables: pa.Table) -> None:
    """Raise RefusedError when two manifests carry the same `meta_*` name: one would replace the other."""
    seen: set[str] = set()
    for table in tables:
        names = set(meta_columns(table))
        if clash := sorted(seen & names):
            raise RefusedError(f"column {clash[0]!r} stands in two manifests: rename one of them")
        seen |= names


def _check_names(table: pa.Table, kind: Kind, where: str) -> None:
    names = table.column_names
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RefusedError(f"{where}: column {twice!r} stands twice")
    allowed = [*_COLUMNS[kind], *(option_names() if kind == "pair" else ())]
    for name in names:
        if name not in allowed and not name.startswith(META_PREFIX):
            raise RefusedError(
                f"{where}: unknown column {name!r}{nearest(name, allowed)}; columns of your own start with "
                f"{META_PREFIX!r} (known: {', '.join(allowed)})"
            )
    required = PAIR_COLUMNS if kind == "pair" else ("uri",)
    for name in required:
        if name not in names:
            raise RefusedError(f"{where}: column {name!r} is missing")


def _cast(table: pa.Table, name: str, type_: pa.DataType, where: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        return pa.chunked_array([pa.nulls(table.num_rows, type_)])
    column = table[name]
    if name == "face" and pa.types.is_floating(column.type):
        column = _cast_array(column, pa.int64(), name, where)  # pandas turns whole numbers with gaps into floats
    if pa.types.is_nested(type_) != pa.types.is_nested(column.type) and not pa.types.is_null(column.type):
        raise RefusedError(f"{where}: column {name!r} is {column.type}, it must be {type_}")
    if name.endswith(("uri", "_id")) and not _is_text(column.type) and not pa.types.is_integer(column.type):
        raise RefusedError(f"{where}: column {name!r} is {column.type}, it must be text")
    return _cast_array(column, type_, name, where)


def _is_text(type_: pa.DataType) -> bool:
    value = type_.value_type if pa.types.is_dictionary(type_) else type_
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_null(value))


def _cast_array(column: pa.ChunkedArray, type_: pa.DataType, name: str, where: str) -> pa.ChunkedArray:
    try:
        return column.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise RefusedError(f"{where}: column {name!r} must be {type_}: {error}") from error


def _first(mask: pa.ChunkedArray) -> int | None:
    """Row of the first true, or None; nulls count as false."""
    rows = np.flatnonzero(mask.combine_chunks().fill_null(False).to_numpy(zero_copy_only=False))
    return int(rows[0]) if len(rows) else None


def _require(column: pa.ChunkedArray, name: str, where: str) -> None:
    row = _first(pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True))
    if row is not None:
        raise RefusedError(f"{where}: row {row}: {name!r} is empty")


def _check_unique(column: pa.ChunkedArray, name: str, where: str) -> None:
    counts = pc.value_counts(column.combine_chunks())
    repeated = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(repeated):
        value = repeated[0]["values"].as_py()
        rows = np.flatnonzero(pc.equal(column, value).combine_chunks().to_numpy(zero_copy_only=False))[:2]
        raise RefusedError(
            f"{where}: rows {rows[0]} and {rows[1]}: duplicate {name} {value!r}; give each row its own {name}"
        )


def _check_faces(column: pa.ChunkedArray, where: str, more: tuple[str, ...]) -> None:
    rule = pc.is_in(column, pa.array([*FACE_RULES, *more]))
    index = pc.match_substring_regex(column, r"^\d{1,4}$")
    row = _first(pc.invert(pc.or_(rule, index)))
    if row is not None and column[row].as_py() is not None:
        raise RefusedError(
            f"{where}: row {row}: face={column[row].as_py()!r} must be an index from 0 or one of "
            f"{', '.join([*FACE_RULES, *more])}"
        )


def _check_boxes(column: pa.ChunkedArray, where: str) -> None:
    row = _first(pc.invert(_are_boxes(column.combine_chunks())))
    if row is not None:
        raise RefusedError(
            f"{where}: row {row}: box={column[row].as_py()} must be [x0, y0, x1, y1] in pixels with x0 < x1 and y0 < y1"
        )


def _are_boxes(boxes: pa.ListArray) -> pa.ChunkedArray:
    """Whether each row is null, or four finite numbers in order."""
    of_four = pc.fill_null(pc.equal(pc.list_value_length(boxes), 4), False)
    rows = np.flatnonzero(of_four.to_numpy(zero_copy_only=False))
    corners = boxes.take(pa.array(rows)).flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)  # nulls are NaN
    sound = boxes.is_null().to_numpy(zero_copy_only=False).copy()
    sound[rows] = np.isfinite(corners).all(1) & (corners[:, 0] < corners[:, 2]) & (corners[:, 1] < corners[:, 3])
    return pa.chunked_array([pa.array(sound)])


def _check_words(column: pa.ChunkedArray, name: str, words: tuple[str, ...], where: str) -> None:
    row = _first(pc.and_(column.is_valid(), pc.invert(pc.is_in(column, pa.array(words)))))
    if row is not None:
        raise RefusedError(f"{where}: row {row}: {name}={column[row].as_py()!r} must be one of {', '.join(words)}")


def _check_boxes_of_all(columns: Mapping[str, pa.ChunkedArray], where: str) -> None:
    row = _first(pc.and_(columns["box"].is_valid(), pc.equal(columns["face"], ALL_FACES)))
    if row is not None:
        raise RefusedError(f"{where}: row {row}: face={ALL_FACES!r} and a box exclude each other: leave one out")


def _check_cuts(start: pa.ChunkedArray, end: pa.ChunkedArray, where: str) -> None:
    for name, column in (("start_s", start), ("end_s", end)):
        sound = pc.and_(pc.is_finite(column), pc.greater_equal(column, 0))
        row = _first(pc.and_(column.is_valid(), pc.invert(sound)))
        if row is not None:
            raise RefusedError(f"{where}: row {row}: {name}={column[row].as_py()} must be 0 or more seconds")
    row = _first(pc.less_equal(end, pc.coalesce(start, pa.scalar(0.0))))
    if row is not None:
        raise RefusedError(f"{where}: row {row}: end_s={end[row].as_py()} must come after start_s={start[row].as_py()}")
