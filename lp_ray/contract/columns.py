"""Convert columns as other tools write them (views, dictionaries, bytes, floats for integers) to the declared types.

Every check raises RefusedError, which names the column and, where it can, the row, counted from 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray.base.errors import RefusedError

NAMED = 10
"""How many repeats, and how many rows of each, a message names."""
_EXACT = 2.0**53
"""From this number on, not every integer has an exact float."""
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
_BOX = re.compile(rf"\s*[\[(]?\s*({_NUMBER}(?:\s*[,;\s]\s*{_NUMBER})*)\s*[\])]?\s*")
_BOOLEANS = {**dict.fromkeys(("true", "yes", "1"), True), **dict.fromkeys(("false", "no", "0"), False)}


def as_text(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """Return a column of text, or of whole numbers in any type, as plain text. NaN becomes null."""
    type_ = column.type
    if pa.types.is_floating(type_):
        column = _whole(column, name, where)
    elif pa.types.is_decimal(type_):
        column = _cast(column, pa.decimal256(76, 0), name, where)
    elif pa.types.is_binary(type_) or pa.types.is_string(type_):
        return valid_text(column, name, where)
    elif not pa.types.is_integer(type_) and not pa.types.is_null(type_):
        raise RefusedError(f"{where}: column {name!r} is {type_}, it must be text")
    return column.cast(pa.string())


def valid_text(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """Return a column of text or bytes as text. Raises RefusedError if a value is not UTF-8."""
    coded = column.cast(pa.binary())
    try:
        return coded.cast(pa.string())
    except pa.ArrowInvalid:
        row, value = next((row, value) for row, value in enumerate(coded.to_pylist()) if _is_bad(value))
        raise RefusedError(f"{where}: row {row}: {name}={value[:60]!r} is not UTF-8") from None


def _is_bad(value: bytes | None) -> bool:
    try:
        return value is not None and value.decode() is None
    except UnicodeDecodeError:
        return True


def _whole(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """Return floats as integers: pandas turns a column of integers with gaps into floats."""
    column = pc.if_else(pc.is_nan(column), None, column)
    sound = pc.and_(pc.equal(column, pc.floor(column)), pc.less_equal(pc.abs(column), _EXACT))
    if (row := first_true(pc.invert(sound))) is not None:
        raise RefusedError(f"{where}: row {row}: {name}={column[row].as_py()!r} must be text or a whole number")
    return column.cast(pa.int64())


def as_boxes(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Return a column of texts such as `[10, 20, 110, 120]` as lists of numbers."""
    values: list[list[float] | None] = []
    for row, value in enumerate(column.to_pylist()):
        match = _BOX.fullmatch(value) if value else None
        if value and value.strip() and match is None:
            raise RefusedError(f"{where}: row {row}: box={value[:60]!r} must be [x0, y0, x1, y1] in pixels")
        values.append([float(number) for number in re.findall(_NUMBER, match[1])] if match else None)
    return pa.chunked_array([pa.array(values, pa.list_(pa.float64()))])


def as_kind(column: pa.ChunkedArray, kind: Any, name: str, where: str) -> pa.ChunkedArray:
    """Return a column of texts, as CSV has them, as values of an option's type: bool, int or float."""
    reads: dict[Any, tuple[Callable[[str], Any], pa.DataType]] = {
        bool: (lambda text: _BOOLEANS[text.lower()], pa.bool_()),
        int: (float, pa.float64()),
        float: (float, pa.float64()),
    }
    read, type_ = reads[kind]
    values: list[Any] = []
    for row, text in enumerate(column.to_pylist()):
        try:
            values.append(read(text.strip()) if text and text.strip() else None)
        except (ValueError, KeyError):
            raise RefusedError(f"{where}: row {row}: {name}={text[:60]!r} must be {kind.__name__}") from None
    return pa.chunked_array([pa.array(values, type_)])


def cast(column: pa.ChunkedArray, type_: pa.DataType, name: str, where: str) -> pa.ChunkedArray:
    """Return a column in another type."""
    if pa.types.is_nested(type_) != pa.types.is_nested(column.type) and not pa.types.is_null(column.type):
        raise RefusedError(f"{where}: column {name!r} is {column.type}, it must be {type_}")
    return _cast(column, type_, name, where)


def _cast(column: pa.ChunkedArray, type_: pa.DataType, name: str, where: str) -> pa.ChunkedArray:
    try:
        return column.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise RefusedError(f"{where}: column {name!r} must be {type_}: {error}") from error


def first_true(mask: pa.ChunkedArray) -> int | None:
    """Return the first row that is true, or None. Nulls count as false."""
    rows = np.flatnonzero(mask.combine_chunks().fill_null(False).to_numpy(zero_copy_only=False))
    return int(rows[0]) if len(rows) else None


def distinct(columns: Sequence[pa.ChunkedArray]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the distinct combinations of values. Return the first row of each, and each row's combination."""
    first, combination = np.zeros(1, np.int64), np.zeros(len(columns[0]), np.int64)
    for column in columns:
        codes = _codes(column)
        both = combination * (int(codes.max(initial=0)) + 1) + codes
        _, first, combination = np.unique(both, return_index=True, return_inverse=True)
    return first, combination


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Number the values of a column from 1; null is 0. Every value of a nested type counts as distinct."""
    if pa.types.is_nested(column.type):
        return np.arange(1, len(column) + 1)
    if pa.types.is_dictionary(column.type):
        encoded = column.unify_dictionaries().combine_chunks()
    else:
        encoded = column.combine_chunks().dictionary_encode()
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(indices, np.int64) + 1


def repeats(columns: Sequence[pa.ChunkedArray]) -> list[list[int]]:
    """Return, for each combination of values that occurs more than once, its rows; in order of first appearance."""
    first, combination = distinct(columns)
    if len(first) == len(combination):
        return []
    order = np.argsort(combination, kind="stable")
    ends = np.flatnonzero(np.diff(combination[order])) + 1
    groups = (group.tolist() for group in np.split(order, ends) if len(group) > 1)
    return sorted(groups, key=lambda rows: rows[0])


def say_rows(rows: Sequence[int]) -> str:
    """Return "rows 1, 2 and 3"; for many rows, the first ones and how many more there are."""
    if len(rows) > NAMED:
        return f"rows {', '.join(map(str, rows[:NAMED]))} and {len(rows) - NAMED} more"
    return f"rows {', '.join(map(str, rows[:-1]))} and {rows[-1]}"
