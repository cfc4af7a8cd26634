"""The contract with users: the columns of manifests, and the checks of their values.

Manifests are files of Parquet, CSV or JSON lines, or folders of them (see tables.py), read whole as Arrow tables. Every
check names the row (counted from 0), the column and the remedy, and raises RefusedError before any work starts.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lp_ray.base.errors import InputError, RefusedError
from lp_ray.base.names import nearest
from lp_ray.contract import casts
from lp_ray.contract.columns import NAMED, as_boxes, as_kind, as_text, cast, first_true, repeats, say_rows, valid_text
from lp_ray.contract.face_rules import ALL_FACES, FACE_RULES
from lp_ray.contract.media_kinds import MEDIA
from lp_ray.contract.options import ALIASES, PairOptions, option_names
from lp_ray.contract.parquet import plain
from lp_ray.contract.rights import CONSENTS, RIGHTS
from lp_ray.contract.tables import read_table
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
    **RIGHTS,
}
DRIVING_COLUMNS = {
    "uri": pa.string(),
    "driving_id": pa.string(),
    "face": pa.string(),
    "start_s": pa.float64(),
    "end_s": pa.float64(),
    "version": pa.string(),
    **RIGHTS,
}
PAIR_COLUMNS = {"source_id": pa.string(), "driving_id": pa.string(), casts.COLUMN: pa.string()}
_COLUMNS: dict[Kind, dict[str, pa.DataType]] = {
    "source": SOURCE_COLUMNS,
    "driving": DRIVING_COLUMNS,
    "pair": PAIR_COLUMNS,
}


_INDEX = re.compile(r"__index_level_\d+__|__null_dask_index__|Unnamed: 0")
_OPTION_KINDS = typing.get_type_hints(PairOptions)


def read_manifest(uri: str, kind: Kind) -> pa.Table:
    """Read and check one manifest.

    The result has every declared column in its declared type (missing ones are null; ids are filled in from the uri),
    then any `meta_*` and option columns. Raises RefusedError.
    """
    try:
        table = read_table(uri, f"{kind} manifest {uri}")
    except InputError as error:
        made = f" (lp-ray manifest kind={kind} makes one)" if kind != "pair" else ""
        raise RefusedError(f"{kind} manifest: {error}{made}") from error
    return check_manifest(table, kind, where=f"{kind} manifest {uri}")


def check_manifest(table: pa.Table, kind: Kind, where: str) -> pa.Table:
    """Check a manifest table and return it in the declared types; see `read_manifest`."""
    if table.num_rows == 0:
        raise RefusedError(f"{where}: no rows: there is nothing to do")
    known = _COLUMNS[kind]
    table = _without_index(table, (*known, *option_names()))
    if kind == "pair":
        table = table.rename_columns([ALIASES.get(name, name) for name in table.column_names])
    _check_names(table, kind, where)
    table = plain(table)
    columns = {name: _declared(table, name, type_, where) for name, type_ in known.items()}
    extra = {name: _extra(table[name], name, where) for name in table.column_names if name not in known}
    if kind == "pair":
        _require(columns["source_id"], "source_id", where)
        casts.check_either(columns, where)
        options = {name: column for name, column in extra.items() if name in option_names()}
        _check_pairs({**columns, **options}, where)
    else:
        _require(columns["uri"], "uri", where)
        _check_faces(columns["face"], where, (ALL_FACES,) if kind == "source" else ())
        id_column = f"{kind}_id"
        columns[id_column] = pc.coalesce(columns[id_column], columns["uri"])
        _check_unique(columns[id_column], id_column, where)
        _check_words(columns["consent"], "consent", CONSENTS, where)
    if kind == "source":
        _check_boxes(columns["box"], where)
        _check_words(columns["subject"], "subject", SUBJECTS, where)
        _check_words(columns["media"], "media", MEDIA, where)
        _check_boxes_of_all(columns, where)
    if kind == "driving":
        _check_cuts(columns["start_s"], columns["end_s"], where)
    return pa.table({**columns, **extra})


def option_columns(pairs: pa.Table) -> list[str]:
    """Return the names of the option columns in a pairs manifest."""
    return [name for name in pairs.column_names if name in option_names()]


def meta_columns(table: pa.Table) -> list[str]:
    """Return the names of the `meta_*` columns, which are carried into the results."""
    return [name for name in table.column_names if name.startswith(META_PREFIX)]


def check_meta_names(*tables: pa.Table) -> None:
    """Raise RefusedError if two manifests have a `meta_*` column of the same name: one would replace the other."""
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
    if kind == "pair" and casts.COLUMN in names:
        required: tuple[str, ...] = ("source_id",)
    else:
        required = ("source_id", "driving_id") if kind == "pair" else ("uri",)
    for name in required:
        if name not in names:
            raise RefusedError(f"{where}: column {name!r} is missing")


def _without_index(table: pa.Table, known: tuple[str, ...]) -> pa.Table:
    """Return a table without the row index that pandas and Dask write as a column."""
    try:
        facts = table.schema.pandas_metadata or {}
        noted = {name for name in facts.get("index_columns", []) if isinstance(name, str)}
    except (ValueError, TypeError, AttributeError):  # not pandas' own metadata
        noted = set()
    index = [
        name
        for name in dict.fromkeys(table.column_names)
        if _INDEX.fullmatch(name) or (name in noted and name not in known and not name.startswith(META_PREFIX))
    ]
    return table.drop_columns(index) if index else table


def _declared(table: pa.Table, name: str, type_: pa.DataType, where: str) -> pa.ChunkedArray:
    """Return a declared column in its type; all null if the table lacks it."""
    if name not in table.column_names:
        return pa.chunked_array([pa.nulls(table.num_rows, type_)])
    column = table[name]
    if name == casts.COLUMN:
        return casts.as_casts(column, where)
    if type_ == pa.string():
        return as_text(column, name, where)
    if pa.types.is_string(column.type):
        column = valid_text(column, name, where)
        if name == "box":
            return as_boxes(column, where)
        column = pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), None, column)
    return cast(column, type_, name, where)


def _extra(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """Return an option's column in the option's type. In a user's own column, bytes that are valid text become text."""
    kind = _OPTION_KINDS.get(name)
    if pa.types.is_nested(column.type):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            raise RefusedError(f"{where}: column {name!r}: {error}") from error
    if pa.types.is_binary(column.type) and kind is None:
        try:
            return valid_text(column, name, where)
        except RefusedError:
            return column
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        column = valid_text(column, name, where)
        return as_kind(column, kind, name, where) if kind in (bool, int, float) else column
    return as_text(column, name, where) if kind is str else column


def _require(column: pa.ChunkedArray, name: str, where: str) -> None:
    row = first_true(pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True))
    if row is not None:
        raise RefusedError(f"{where}: row {row}: {name!r} is empty")


def _check_unique(column: pa.ChunkedArray, name: str, where: str) -> None:
    if not (groups := repeats([column])):
        return
    named = [f"{say_rows(rows)}: duplicate {name} {column[rows[0]].as_py()!r}" for rows in groups[:NAMED]]
    raise RefusedError(f"{where}: {_listed(named, len(groups))}; give each row its own {name}")


def _check_pairs(columns: Mapping[str, pa.ChunkedArray], where: str) -> None:
    """Refuse pairs that appear twice with the same options, because they are the same work."""
    if not (groups := repeats(list(columns.values()))):
        return
    driven = pc.coalesce(columns["driving_id"], columns[casts.COLUMN])
    ids = [[column[rows[0]].as_py() for column in (columns["source_id"], driven)] for rows in groups[:NAMED]]
    named = [f"{say_rows(rows)}: {a!r} with {b!r}" for rows, (a, b) in zip(groups, ids, strict=False)]
    raise RefusedError(
        f"{where}: the same pair with the same options in {_listed(named, len(groups))}; keep one row of each"
    )


def _listed(named: list[str], count: int) -> str:
    more = f" … (the first {len(named)} of {count})" if count > len(named) else ""
    return "; ".join(named) + more


def _check_faces(column: pa.ChunkedArray, where: str, more: tuple[str, ...]) -> None:
    rule = pc.is_in(column, pa.array([*FACE_RULES, *more]))
    index = pc.match_substring_regex(column, r"^\d{1,4}$")
    row = first_true(pc.invert(pc.or_(rule, index)))
    if row is not None and column[row].as_py() is not None:
        raise RefusedError(
            f"{where}: row {row}: face={column[row].as_py()!r} must be an index from 0 or one of "
            f"{', '.join([*FACE_RULES, *more])}"
        )


def _check_boxes(column: pa.ChunkedArray, where: str) -> None:
    row = first_true(pc.invert(_are_boxes(column.combine_chunks())))
    if row is not None:
        raise RefusedError(
            f"{where}: row {row}: box={column[row].as_py()} must be [x0, y0, x1, y1] in pixels with x0 < x1 and y0 < y1"
        )


def _are_boxes(boxes: pa.ListArray) -> pa.ChunkedArray:
    """Return whether each row is null, or four finite numbers with x0 < x1 and y0 < y1."""
    of_four = pc.fill_null(pc.equal(pc.list_value_length(boxes), 4), False)
    rows = np.flatnonzero(of_four.to_numpy(zero_copy_only=False))
    corners = boxes.take(pa.array(rows)).flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)  # nulls are NaN
    sound = boxes.is_null().to_numpy(zero_copy_only=False).copy()
    sound[rows] = np.isfinite(corners).all(1) & (corners[:, 0] < corners[:, 2]) & (corners[:, 1] < corners[:, 3])
    return pa.chunked_array([pa.array(sound)])


def _check_words(column: pa.ChunkedArray, name: str, words: tuple[str, ...], where: str) -> None:
    row = first_true(pc.and_(column.is_valid(), pc.invert(pc.is_in(column, pa.array(words)))))
    if row is not None:
        raise RefusedError(f"{where}: row {row}: {name}={column[row].as_py()!r} must be one of {', '.join(words)}")


def _check_boxes_of_all(columns: Mapping[str, pa.ChunkedArray], where: str) -> None:
    row = first_true(pc.and_(columns["box"].is_valid(), pc.equal(columns["face"], ALL_FACES)))
    if row is not None:
        raise RefusedError(f"{where}: row {row}: face={ALL_FACES!r} and a box exclude each other: leave one out")


def _check_cuts(start: pa.ChunkedArray, end: pa.ChunkedArray, where: str) -> None:
    for name, column in (("start_s", start), ("end_s", end)):
        sound = pc.and_(pc.is_finite(column), pc.greater_equal(column, 0))
        row = first_true(pc.and_(column.is_valid(), pc.invert(sound)))
        if row is not None:
            raise RefusedError(f"{where}: row {row}: {name}={column[row].as_py()} must be 0 or more seconds")
    row = first_true(pc.less_equal(end, pc.coalesce(start, pa.scalar(0.0))))
    if row is not None:
        raise RefusedError(f"{where}: row {row}: end_s={end[row].as_py()} must come after start_s={start[row].as_py()}")
