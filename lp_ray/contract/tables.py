"""Tables as files: Parquet, CSV and JSON lines, one file or a folder of parts. Does not know what the columns mean.

Files come from anywhere, so their unpacked size is limited: rows, columns, the length of a value, and the total.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from pathlib import Path
from typing import BinaryIO, Literal, cast
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lp_ray import storage
from lp_ray.base.errors import MissingInputError, RefusedError
from lp_ray.contract import text_tables

MAX_ROWS = 50_000_000
MAX_COLUMNS = 2_000
MAX_FIELD = 1 << 20
"""Bytes of one text value."""
MAX_TABLE = 2 << 30
"""Bytes of a whole table in memory."""
MAX_VALUES = 1_000
"""Values per row of a list column, on average."""

Format = Literal["parquet", "csv", "jsonl"]

_SUFFIXES: dict[str, Format] = {
    **dict.fromkeys((".parquet", ".parq", ".pq"), "parquet"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
}
_WRITTEN = (".parquet", ".csv", ".jsonl", ".ndjson")
_NOT_WRITTEN = re.compile(r"\.(?:tsv|txt|json|xlsx?|ods|feather|arrow|avro|orc|db|sqlite)$", re.IGNORECASE)
_GZIP = b"\x1f\x8b"
_LOOKS = {
    b"PK\x03\x04": "a spreadsheet or another zip archive: save it as CSV",
    b"ARROW1": "an Arrow (Feather) file: write it as Parquet",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet: save it as CSV",
    b"<": "a web page or XML",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    _GZIP: "a packed file: of those .csv.gz and .jsonl.gz are read",
    b"Obj\x01": "an Avro file: write it as Parquet",
    b"ORC": "an ORC file: write it as Parquet",
    b"SQLite": "a database",
}
_DELTA_LOG = "_delta_log"
"""It lists which of the files beside it count; reading without it would bring back deleted rows."""
_DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__"

_BAD_FILES = (pa.ArrowException, OSError, EOFError, zlib.error, OverflowError)


def format_of(name: str) -> Format | None:
    """Return the format that the name of a file, or of a signed address, tells; None if it tells none."""
    names = [name.lower().removesuffix(".gz"), name.lower().partition("?")[0].removesuffix(".gz")]
    return next((form for name in names for suffix, form in _SUFFIXES.items() if name.endswith(suffix)), None)


def read_table(uri: str, where: str) -> pa.Table:
    """Read the table at a typed path or URI: a file, or a folder of parts as Spark, Ray and Dask write them.

    Raises MissingInputError if nothing exists there, RefusedError if it is not a table or unpacks to more than the
    limits; its message begins with `where`.
    """
    try:
        return _read_file(uri, where)
    except MissingInputError:
        if not storage.is_folder(uri):
            raise
    parts = _parts(uri, where)
    tables = [_read_file(part, f"{where}: {storage.shown(part)}", partition) for part, partition in parts]
    if sum(table.nbytes for table in tables) > MAX_TABLE:
        raise _too_large(where)
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise RefusedError(f"{where}: its parts have columns of different types: {error}") from error
    return whole.replace_schema_metadata(tables[0].schema.metadata)


def _read_file(uri: str, where: str, partition: dict[str, str | None] | None = None) -> pa.Table:
    name = storage.name_of(storage.normalise(uri))
    with storage.local_copy(uri) as path:
        table = _read(path, name, where)
    for column, value in (partition or {}).items():
        if column not in table.column_names:
            table = table.append_column(column, pa.array([value] * len(table), pa.string()))
    return table


def _read(path: Path, name: str, where: str) -> pa.Table:
    with path.open("rb") as file:
        head = file.read(8)
    form = "parquet" if head.startswith(b"PAR1") else format_of(name)
    try:
        if form in ("csv", "jsonl"):
            read = text_tables.read_csv if form == "csv" else text_tables.read_json_lines
            with _opened(path, head) as file:
                return read(file, where)
        return _read_parquet(path, where)
    except UnicodeDecodeError as error:
        raise RefusedError(f"{where}: the name of a column is not UTF-8: rename it") from error
    except _BAD_FILES as error:
        if form in ("csv", "jsonl"):
            raise RefusedError(f"{where}: {error}") from error
        raise RefusedError(f"{where}: not a Parquet file{_looks_like(head) or f': {error}'}") from error


def _looks_like(head: bytes) -> str:
    """Say what a file that is not Parquet looks like, by its first bytes."""
    looks = next((f"; it looks like {what}" for magic, what in _LOOKS.items() if head.startswith(magic)), "")
    if not looks and head and head.decode("ascii", "replace").replace("\n", "").isprintable():
        return "; it looks like text: name a CSV .csv, and JSON lines .jsonl"
    return looks


def _opened(path: Path, head: bytes) -> BinaryIO:
    if head.startswith(_GZIP):
        return cast(BinaryIO, gzip.open(path))
    if not head.startswith(b"<") and any(map(head.startswith, _LOOKS)):
        raise pa.ArrowInvalid(_looks_like(head).removeprefix("; "))
    return path.open("rb")


def _read_parquet(path: Path, where: str) -> pa.Table:
    """Read a Parquet file group by group. Texts stay dictionary-coded until their unpacked size is known."""
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
                raise _too_large(where)
            pieces.append(plain(coded))
    return pa.concat_tables(pieces or [plain(schema.empty_table())]).replace_schema_metadata(schema.metadata)


def _is_text(type_: pa.DataType) -> bool:
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(type_) for is_kind in kinds)


def _too_large(where: str) -> RefusedError:
    return RefusedError(f"{where}: more than {MAX_TABLE >> 30} GiB of values: split it, or see docs/scale.md")


def _check_size(facts: pq.FileMetaData, where: str) -> None:
    if facts.num_rows > MAX_ROWS:
        raise RefusedError(f"{where}: {facts.num_rows} rows, at most {MAX_ROWS} are read")
    if facts.num_columns > MAX_COLUMNS:
        raise RefusedError(f"{where}: {facts.num_columns} columns, at most {MAX_COLUMNS} are read")
    for n in range(facts.num_row_groups):
        group = facts.row_group(n)
        if group.total_byte_size > MAX_TABLE:
            raise _too_large(where)
        for m in range(group.num_columns):
            column = group.column(m)
            if column.num_values > MAX_VALUES * max(group.num_rows, 1):
                raise RefusedError(f"{where}: column {column.path_in_schema!r} has too many values in a row")


def _size(column: pa.Array, where: str) -> int:
    """Return the bytes of a column after decoding. Raises RefusedError if a text is too long."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary)
    if (longest := pc.max(lengths).as_py() or 0) > MAX_FIELD:
        raise RefusedError(f"{where}: a value of {longest} bytes, at most {MAX_FIELD} are read")
    return 4 * len(column) + int(pc.sum(lengths.take(column.indices)).as_py() or 0)


def plain(table: pa.Table) -> pa.Table:
    """Return a table with all columns `decoded`, because many pyarrow functions do not support the other types."""
    columns = [
        pa.chunked_array([decoded(chunk) for chunk in column.chunks or [pa.array([], column.type)]])
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names).replace_schema_metadata(table.schema.metadata)


def decoded(column: pa.Array) -> pa.Array:
    """Return a column without dictionary coding and extension type; views of text become plain text."""
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
    if pa.types.is_binary_view(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return column.cast(pa.binary())
    if pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_):
        return pa.array(column.to_pylist(), pa.list_(type_.value_type))  # pyarrow 26: its own cast gives bad offsets
    return column


def _parts(uri: str, where: str) -> list[tuple[str, dict[str, str | None]]]:
    """Find the parts of a table in a folder, in the order of their numbers, with the columns that subfolder names
    state."""
    root = _place(storage.normalise(uri)).rstrip("/")
    found: list[tuple[str, dict[str, str | None]]] = []
    forms: set[Format] = set()
    for file in storage.glob(uri):
        names = _place(file).removeprefix(root + "/").split("/")
        if _DELTA_LOG in names:
            raise RefusedError(f"{where}: a Delta table: write what it holds now as plain Parquet")
        if "_temporary" in names:
            raise RefusedError(f"{where}: still being written, or its writer died: it holds '_temporary'")
        form = format_of(names[-1])
        if form is None or any(name.startswith("_") and "=" not in name for name in names):
            continue
        forms.add(form)
        found.append((file, dict(map(_partition, (name for name in names[:-1] if "=" in name)))))
    if not found:
        raise RefusedError(
            f"{where}: a folder without parts of a table (.parquet, .csv, .jsonl): of media make a manifest first: "
            f"python -m jobs.manifest input={uri} kind=… output=…"
        )
    if len(forms) > 1:
        raise RefusedError(f"{where}: a folder of {' and '.join(sorted(forms))} files: name one file, or part them")
    return sorted(found, key=lambda part: _natural(part[0]))


def _place(uri: str) -> str:
    return storage.local_path(uri) or uri


def _partition(folder: str) -> tuple[str, str | None]:
    name, _, value = folder.partition("=")
    return unquote(name), None if value == _DEFAULT_PARTITION else unquote(value)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts part.10 after part.9."""
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d{1,18})", name)]


def check_writable_name(name: str) -> None:
    """Raise RefusedError if a file name stands for a format that cannot be written."""
    plain = name.lower().removesuffix(".gz")
    if _NOT_WRITTEN.search(plain) or (name.lower().endswith(".gz") and not plain.endswith(_WRITTEN[1:])):
        raise RefusedError(f"{name!r}: a manifest is written as {', '.join(_WRITTEN)}, or .csv.gz and .jsonl.gz")


def to_bytes(table: pa.Table, name: str) -> bytes:
    """Return a table as the content of a file with this name: CSV or JSON lines if the name says so, else Parquet."""
    form = format_of(name)
    if form in ("csv", "jsonl"):
        data = text_tables.write_csv(table) if form == "csv" else text_tables.write_json_lines(table)
        return gzip.compress(data, mtime=0) if name.lower().endswith(".gz") else data
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()
