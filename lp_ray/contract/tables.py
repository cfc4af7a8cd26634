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
import pyarrow.parquet as pq

from lp_ray import storage
from lp_ray.base.errors import MissingInputError, RefusedError
from lp_ray.contract import text_tables
from lp_ray.contract.parquet import MAX_TABLE, Rehearsal, read_parquet, too_large

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
    with Rehearsal() as rehearsal:
        try:
            return _read_file(uri, where, rehearsal)
        except MissingInputError:
            if not storage.is_folder(uri):
                raise
        tables = [
            _read_file(part, f"{where}: {storage.shown(part)}", rehearsal, partition)
            for part, partition in _parts(uri, where)
        ]
    if sum(table.nbytes for table in tables) > MAX_TABLE:
        raise too_large(where)
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise RefusedError(f"{where}: its parts have columns of different types: {error}") from error
    return whole.replace_schema_metadata(tables[0].schema.metadata)


def _read_file(uri: str, where: str, rehearsal: Rehearsal, partition: dict[str, str | None] | None = None) -> pa.Table:
    name = storage.name_of(storage.normalise(uri))
    with storage.local_copy(uri) as path:
        table = _read(path, name, where, rehearsal)
    for column, value in (partition or {}).items():
        if column not in table.column_names:
            table = table.append_column(column, pa.array([value] * len(table), pa.string()))
    return table


def _read(path: Path, name: str, where: str, rehearsal: Rehearsal) -> pa.Table:
    with path.open("rb") as file:
        head = file.read(8)
    form = "parquet" if head.startswith(b"PAR1") else format_of(name)
    try:
        if form in ("csv", "jsonl"):
            read = text_tables.read_csv if form == "csv" else text_tables.read_json_lines
            with _opened(path, head) as file:
                return read(file, where)
        rehearsal.read(path, where)
        return read_parquet(path, where)
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
            f"lp-ray manifest input={uri} kind=… output=…"
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
