"""Manifests as text: CSV and JSON lines, read in pieces of limited size, and written.

A CSV cell is text exactly as written (`007` keeps its zeros). An empty cell is null.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa

from lp_ray.base.errors import RefusedError

MAX_LINE = 1 << 20
"""Characters in one line. A CSV field holds at most 131,072 (the csv module's own limit)."""
MAX_LINES = 20_000_000
MAX_TEXT = 1 << 30
"""Characters in a whole file, unpacked."""
_AT_ONCE = 1 << 16
"""Number of rows that are held as Python objects at a time."""
_DELIMITERS = (",", ";", "\t")


def read_csv(file: BinaryIO, where: str) -> pa.Table:
    """Read a table whose first line names the columns. All columns are text.

    The delimiter is comma, semicolon or tab: the one that the first line has most. Columns without a name are left out:
    an index written by pandas, or empty columns of a spreadsheet. Raises RefusedError, which names the line.
    """
    lines = _lines(file, where)
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    rows = csv.reader(_again(first, lines), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(rows, [])]
        chosen = [n for n, name in enumerate(names) if name and name != "Unnamed: 0"]
        pieces: list[list[pa.Array]] = [[pa.array([], pa.string())] for _ in chosen]
        sound = _rows_of(rows, len(names), where)
        while chunk := list(islice(sound, _AT_ONCE)):
            columns = list(zip(*chunk, strict=True))
            for piece, n in zip(pieces, chosen, strict=True):
                piece.append(pa.array([value or None for value in columns[n]], pa.string()))
    except csv.Error as error:
        raise RefusedError(f"{where}: line {rows.line_num}: {error}") from error
    return pa.table([pa.chunked_array(piece) for piece in pieces], names=[names[n] for n in chosen])


def _rows_of(rows: Any, width: int, where: str) -> Iterator[list[str]]:
    """Yield the rows of a CSV, without empty ones."""
    for row in rows:
        if not any(row):
            continue
        if len(row) != width:
            raise RefusedError(
                f"{where}: line {rows.line_num}: {len(row)} fields, the first line names {width}: put a value with a "
                "comma in it in double quotes"
            )
        yield row


def read_json_lines(file: BinaryIO, where: str) -> pa.Table:
    """Read a table with one JSON object per line. If a line lacks a column, it is null there.

    Raises RefusedError, which names the line, or the column whose values have several types.
    """
    pieces: dict[str, list[pa.Array]] = {}
    n_rows = 0
    rows = _objects(file, where)
    while chunk := list(islice(rows, _AT_ONCE)):
        for name in dict.fromkeys(name for row in chunk for name in row):
            if name not in pieces:
                pieces[name] = [pa.nulls(n_rows)]
            pieces[name].append(_array([row.get(name) for row in chunk], f"{where}: column {name!r}"))
        n_rows += len(chunk)
        for name, arrays in pieces.items():
            if (missing := n_rows - sum(map(len, arrays))) > 0:
                pieces[name].append(pa.nulls(missing))
    columns = {name: _joined(arrays, f"{where}: column {name!r}") for name, arrays in pieces.items()}
    return pa.table(columns)


def _objects(file: BinaryIO, where: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_lines(file, where), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RefusedError(f"{where}: line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            what = "a list" if isinstance(row, list) else repr(row)[:40]
            raise RefusedError(
                f"{where}: line {number} is {what}, it must be one JSON object (pandas: to_json(…, orient='records', "
                "lines=True))"
            )
        yield row


def _array(values: list[Any], where: str) -> pa.Array:
    kinds = {type(value) for value in values}
    if str in kinds and kinds <= {str, int, type(None)}:  # ids: some look like numbers
        values = [value if value is None else str(value) for value in values]
    try:
        return pa.array(values)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:  # UnicodeEncodeError is a ValueError
        raise RefusedError(f"{where}: {error}") from error


def _joined(arrays: list[pa.Array], where: str) -> pa.ChunkedArray:
    kinds = {array.type for array in arrays} - {pa.null()}
    if pa.string() in kinds and kinds <= {pa.string(), pa.int64()}:
        arrays = [array.cast(pa.string()) for array in arrays]
    try:
        tables = [pa.table({"": array}) for array in arrays]
        return pa.concat_tables(tables, promote_options="permissive").column(0)
    except pa.ArrowException as error:
        raise RefusedError(f"{where}: {error}") from error


def _again(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _lines(file: BinaryIO, where: str) -> Iterator[str]:
    """Yield the lines of a text in UTF-8, or in UTF-16 with a byte order mark. The length of a line and of all is
    limited."""
    mark = file.read(2)
    file.seek(0)
    encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    number = total = 0
    with io.TextIOWrapper(file, encoding, newline="") as text:
        while True:
            try:
                line = text.readline(MAX_LINE + 1)
            except UnicodeDecodeError as error:
                raise RefusedError(
                    f"{where}: not UTF-8 text, near line {number + 1} ({error.reason}): save it as UTF-8"
                ) from error
            if not line:
                return
            number, total = number + 1, total + len(line)
            if len(line) > MAX_LINE:
                raise RefusedError(f"{where}: line {number} has more than {MAX_LINE} characters")
            if number > MAX_LINES or total > MAX_TEXT:
                raise RefusedError(
                    f"{where}: more than {MAX_LINES} lines or {MAX_TEXT} characters: write it as Parquet"
                )
            yield line


def write_csv(table: pa.Table) -> bytes:
    """Return a table as CSV in UTF-8. Nulls are empty cells, lists are JSON."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(table.column_names)
    for batch in table.to_batches(_AT_ONCE):
        columns = [[_cell(value) for value in column.to_pylist()] for column in batch.columns]
        rows.writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict | bool) else value


def write_json_lines(table: pa.Table) -> bytes:
    """Return a table as JSON lines in UTF-8. Nulls are left out."""
    text = io.StringIO()
    for batch in table.to_batches(_AT_ONCE):
        for row in batch.to_pylist():
            given = {name: value for name, value in row.items() if value is not None}
            text.write(json.dumps(given, ensure_ascii=False, default=str) + "\n")
    return text.getvalue().encode()
