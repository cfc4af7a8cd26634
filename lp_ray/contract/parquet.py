"""Parquet from anyone, read into memory in bounded pieces, in a process that may die first.

Arrow's reader is C++. Damage that it does not see in time ends its process: an exception that pyarrow passes on to
nobody (26.0: the metadata of a column whose kind was changed), or worse.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lp_ray.base.errors import RefusedError
from lp_ray.isolation.child import Child, ChildDiedError, ForgedMessageError, Kind
from lp_ray.isolation.wire import Message

MAX_ROWS = 50_000_000
MAX_COLUMNS = 2_000
MAX_FIELD = 1 << 20
"""Bytes of one text."""
MAX_TABLE = 2 << 30
"""Bytes of a whole table in memory."""
MAX_VALUES = 1_000
"""Values that a row of a list column has on average."""
_MOST_MEMORY = 8 << 30
"""Address space of the process that reads first: a table, and what is made of it on the way."""
_TIMEOUT_S = 600.0


class Rehearsal:
    """Reads files in a child process and throws away what it got: those that pass do not end this process.

    A context manager; the child is started with the first file.
    """

    def __init__(self) -> None:
        self._child = Child(Kind(f"{__name__}:serve", bare=True, max_bytes=_MOST_MEMORY))

    def __enter__(self) -> Rehearsal:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

    def read(self, path: Path, where: str) -> None:
        """Raise RefusedError for a file that ends its reader, or keeps it busy without end.

        What raises an error there raises it here as well, and is left to whoever reads it here.
        """
        try:
            for _ in self._child.ask(Message({"path": str(path.absolute())}), _TIMEOUT_S):
                pass
        except ForgedMessageError as error:
            raise RefusedError(f"{where}: damaged, its reader went astray ({error}): write it anew") from None
        except ChildDiedError as death:
            damaged, ended = "the file is damaged: write it anew", "try again, with more memory, or split the file"
            raise RefusedError(
                f"{where}: the process that tried to read it {death}; {damaged if death.crashed else ended}"
            ) from None
        except TimeoutError:
            raise RefusedError(f"{where}: not read after {_TIMEOUT_S:g} s: damaged, or split it") from None


def serve(request: Message) -> Iterator[Message]:
    """The child's side."""
    with contextlib.suppress(Exception):  # only a death is news: see `Rehearsal.read`
        read_parquet(Path(request.fields["path"]), "")
    yield Message()


def read_parquet(path: Path, where: str) -> pa.Table:
    """Read a Parquet file group by group; texts come coded, so that none is unpacked before its size is known.

    Raises RefusedError for one over the bounds, and what pyarrow raises for one that is damaged.
    """
    with pq.ParquetFile(path) as file:
        _check_size(file.metadata, where)
        schema = file.schema_arrow
        texts = [field.name for field in schema if _is_text(field.type)]
    pieces, total = [], 0
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for group in range(file.num_row_groups):
            coded = file.read_row_group(group)
            for name, column in zip(coded.column_names, coded.columns, strict=True):
                total += sum(_size(chunk, f"{where}: column {name!r}") for chunk in column.chunks)
            if total > MAX_TABLE:
                raise too_large(where)
            pieces.append(plain(coded))
    return pa.concat_tables(pieces or [plain(schema.empty_table())]).replace_schema_metadata(schema.metadata)


def _is_text(type_: pa.DataType) -> bool:
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(type_) for is_kind in kinds)


def too_large(where: str) -> RefusedError:
    """Return the error of a table of more bytes than are read."""
    return RefusedError(f"{where}: more than {MAX_TABLE >> 30} GiB of values: split it, or see docs/scale.md")


def _check_size(facts: pq.FileMetaData, where: str) -> None:
    if facts.num_rows > MAX_ROWS:
        raise RefusedError(f"{where}: {facts.num_rows} rows, at most {MAX_ROWS} are read")
    if facts.num_columns > MAX_COLUMNS:
        raise RefusedError(f"{where}: {facts.num_columns} columns, at most {MAX_COLUMNS} are read")
    for n in range(facts.num_row_groups):
        group = facts.row_group(n)
        if group.total_byte_size > MAX_TABLE:
            raise too_large(where)
        for m in range(group.num_columns):
            column = group.column(m)
            if column.num_values > MAX_VALUES * max(group.num_rows, 1):
                raise RefusedError(f"{where}: column {column.path_in_schema!r} has too many values in a row")


def _size(column: pa.Array, where: str) -> int:
    """Return the bytes of a column once it is decoded. Raises RefusedError for a text that is too long."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary)
    if (longest := pc.max(lengths).as_py() or 0) > MAX_FIELD:
        raise RefusedError(f"{where}: a value of {longest} bytes, at most {MAX_FIELD} are read")
    return 4 * len(column) + int(pc.sum(lengths.take(column.indices)).as_py() or 0)


def plain(table: pa.Table) -> pa.Table:
    """Return a table with its columns `decoded`, for what a kernel of pyarrow may not do with other types."""
    columns = [
        pa.chunked_array([decoded(chunk) for chunk in column.chunks or [pa.array([], column.type)]])
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names).replace_schema_metadata(table.schema.metadata)


def decoded(column: pa.Array) -> pa.Array:
    """Return a column without dictionary and without extension type; views of text become plain text, half floats
    floats."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        values = decoded(column.dictionary)
        return values.take(column.indices) if len(values) else pa.nulls(len(column), values.type)
    if isinstance(type_, pa.UuidType):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    if isinstance(type_, pa.BaseExtensionType):
        return decoded(column.storage)
    if pa.types.is_string_view(type_) or pa.types.is_large_string(type_):
        return column.cast(pa.string())
    if pa.types.is_float16(type_):
        return column.cast(pa.float32())
    if pa.types.is_binary_view(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return column.cast(pa.binary())
    if pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_):
        return pa.array(column.to_pylist(), pa.list_(type_.value_type))  # pyarrow 26: its own cast gives bad offsets
    return column
