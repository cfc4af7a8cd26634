"""Performance tables, `.perf.parquet` and `.csv`: read as untrusted input, and written without loss.

Columns: `time` (seconds) or `frame` (integers from 0), ascending; then any controls of `contract/edits.py`, by our
names or the reference's. An empty cell means no key. `fps` (an integer or a fraction, "30000/1001") and `interpolation`
("linear" or "cubic") are metadata of the schema in Parquet (`lp_ray.fps`), and lines like "# fps=30000/1001" before the
header in CSV.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lp_ray.base.errors import InputTooLargeError, PerformanceError
from lp_ray.base.limits import Limits
from lp_ray.base.names import nearest
from lp_ray.contract.edits import ALIASES, BY_NAME
from lp_ray.motion.performance import Array, Keys, Performance, frame_times

DEFAULT_FPS = Fraction(25)
MAX_BYTES = 16 << 20
MAX_ROWS = 1_000_000
MAX_FPS = 1000

MAX_REMARKS = 1000
_LINE_END = re.compile(r"\r\n|\r|\n")
"""No other: `str.splitlines` knows ten, which are counted nowhere."""
"""Lines of a CSV beside its rows: settings, names, empty ones."""
_TIME, _FRAME = "time", "frame"
_PREFIX = "lp_ray."
_RATE = re.compile(r"[0-9]{1,9}(/[1-9][0-9]{0,8}|\.[0-9]{1,9})?")


def read_performance(data: bytes, limits: Limits | None = None) -> Performance:
    """Read a table from its bytes. The first four bytes tell whether it is Parquet.

    Raises PerformanceError if it is not a performance, InputTooLargeError above the limits.
    """
    limits = limits or Limits()
    most = min(MAX_BYTES, limits.max_bytes)
    if len(data) > most:
        raise InputTooLargeError(f"a performance table of {len(data)} bytes, at most {most} are read")
    settings, columns = _read_parquet(data) if data[:4] == b"PAR1" else _read_csv(data)
    fps = _rate(settings.get("fps"))
    times = _times(columns, fps)
    curves = _curves(columns, times)
    interpolation: Any = settings.get("interpolation", "linear")
    return Performance.of_keys(fps, curves, interpolation, _length(times, fps, limits))


def write_parquet(performance: Performance) -> bytes:
    """Return the table as Parquet. `read_performance` gives exactly the same keys."""
    times, columns = _table(performance)
    arrays = {_TIME: pa.array(times)} | {name: pa.array(cells, pa.float64()) for name, cells in columns.items()}
    table = pa.table(arrays).replace_schema_metadata(
        {f"{_PREFIX}{name}": text for name, text in _settings(performance).items()}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def write_csv(performance: Performance) -> bytes:
    """Return the table as CSV. Numbers are written so that reading gives exactly the same ones."""
    times, columns = _table(performance)
    text = io.StringIO()
    for name, value in _settings(performance).items():
        text.write(f"# {name}={value}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_TIME, *columns])
    for i, time in enumerate(times):
        cells = [columns[name][i] for name in columns]
        writer.writerow([repr(time), *("" if cell is None else repr(cell) for cell in cells)])
    return text.getvalue().encode()


def _settings(performance: Performance) -> dict[str, str]:
    return {"fps": str(performance.fps), "interpolation": performance.interpolation}


def _table(performance: Performance) -> tuple[list[float], dict[str, list[float | None]]]:
    """Return one row for each key's time and for the last frame, which marks the length of the performance."""
    last = float(frame_times(np.array([performance.n_frames - 1]), performance.fps)[0])
    times = sorted({last, *(float(time) for keys in performance.curves.values() for time in keys.times)})
    columns: dict[str, list[float | None]] = {}
    for name, keys in performance.curves.items():
        given = dict(zip(keys.times.tolist(), keys.values.tolist(), strict=True))
        columns[name] = [given.get(time) for time in times]
    return times, columns


def _read_parquet(data: bytes) -> tuple[dict[str, str], dict[str, Array]]:
    """Return settings and columns, with NaN for null."""
    try:
        with pq.ParquetFile(io.BytesIO(data)) as file:
            return _settings_of(file), _columns_of(file)
    except (pa.ArrowException, OSError) as error:
        raise PerformanceError(f"not a readable Parquet file: {error}") from error
    except UnicodeDecodeError as error:
        raise PerformanceError("the name of a column, or a setting, is not UTF-8: rename it") from error


def _settings_of(file: pq.ParquetFile) -> dict[str, str]:
    notes = file.schema_arrow.metadata or {}
    own = {key: value for key, value in notes.items() if key.startswith(_PREFIX.encode())}
    return {key.decode().removeprefix(_PREFIX): value.decode() for key, value in own.items()}


def _columns_of(file: pq.ParquetFile) -> dict[str, Array]:
    if file.metadata.num_rows > MAX_ROWS:
        raise InputTooLargeError(f"a performance table of {file.metadata.num_rows} rows, at most {MAX_ROWS}")
    schema = file.schema_arrow
    _check_names(schema.names)
    for name, kind in zip(schema.names, schema.types, strict=True):
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
            raise PerformanceError(f"column {name} holds {kind}; numbers belong there")
    table = file.read()
    columns = {
        name: table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
        for name in schema.names
    }
    for name in schema.names:  # a cell that says NaN is no empty cell
        nulls = np.asarray(table.column(name).is_null())
        if np.isnan(columns[name][~nulls]).any():
            raise PerformanceError(f"column {name} holds NaN; leave a cell empty where there is no key")
    return columns


def _read_csv(data: bytes) -> tuple[dict[str, str], dict[str, Array]]:
    n_lines = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
    if n_lines > MAX_ROWS + MAX_REMARKS:  # before anything is made of them
        raise InputTooLargeError(f"a performance table of more than {MAX_ROWS + MAX_REMARKS} lines")
    try:
        lines = _LINE_END.split(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PerformanceError("not a text in UTF-8, and not Parquet") from error
    settings = {}
    for line in lines:
        if line.startswith("#"):
            name, _, value = line[1:].partition("=")
            settings[name.strip()] = value.strip()
    try:
        table = list(csv.reader((line for line in lines if line.strip() and not line.startswith("#")), strict=True))
    except csv.Error as error:
        raise PerformanceError(f"not a table: {error}") from error
    if not table:
        raise PerformanceError("an empty table")
    header, rows = table[0], table[1:]
    if len(rows) > MAX_ROWS:
        raise InputTooLargeError(f"a performance table of {len(rows)} rows, at most {MAX_ROWS}")
    names = [name.strip() for name in header]
    _check_names(names)
    if wrong := [i for i, row in enumerate(rows) if len(row) != len(names)]:
        raise PerformanceError(f"row {wrong[0]}: {len(rows[wrong[0]])} cells in a table of {len(names)} columns")
    return settings, {name: _numbers(name, [row[i] for row in rows]) for i, name in enumerate(names)}


def _numbers(name: str, cells: Sequence[str]) -> Array:
    values = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        if cell.strip():
            try:
                values[row] = float(cell)
            except ValueError as error:
                raise PerformanceError(f"row {row}: {name}={cell!r} is no number") from error
            if not np.isfinite(values[row]):
                raise PerformanceError(f"row {row}: {name}={cell!r} is no number")
    return values


def _check_names(names: Sequence[str]) -> None:
    """Raise PerformanceError for unknown columns, and for a column that appears twice, under one name or two names."""
    known = {name: ALIASES.get(name, name) for name in names}
    for given, name in known.items():
        if name not in BY_NAME and name not in (_TIME, _FRAME):
            close = nearest(given, [_TIME, _FRAME, *BY_NAME, *ALIASES])
            raise PerformanceError(f"no control {given!r}{close}; columns are time or frame, and controls")
    if len(set(known.values())) < len(names):
        raise PerformanceError(f"a column stands twice: {', '.join(names)}")
    if (_TIME in names) == (_FRAME in names):
        raise PerformanceError("a performance table needs one column of time (seconds) or frame, and not both")


def _times(columns: Mapping[str, Array], fps: Fraction) -> Array:
    """Return the time of every row, seconds."""
    name = _TIME if _TIME in columns else _FRAME
    rows = columns[name]
    if not len(rows):
        raise PerformanceError("a performance table without rows")
    if wrong := np.flatnonzero(~np.isfinite(rows)).tolist():
        raise PerformanceError(f"row {wrong[0]}: {name} is empty")
    if rows[0] < 0 or (wrong := np.flatnonzero(np.diff(rows) <= 0).tolist()):
        row = 0 if rows[0] < 0 else wrong[0] + 1
        raise PerformanceError(f"row {row}: {name}={rows[row]:g}; it must ascend from row to row, from 0 on")
    if name == _TIME:
        return rows
    if wrong := np.flatnonzero(rows != np.floor(rows)).tolist():
        raise PerformanceError(f"row {wrong[0]}: frame={rows[wrong[0]]:g} is no whole number")
    return frame_times(rows.astype(np.int64), fps)


def _curves(columns: Mapping[str, Array], times: Array) -> dict[str, Keys]:
    found = {}
    for given, values in columns.items():
        if given in (_TIME, _FRAME):
            continue
        keyed = np.isfinite(values)
        if keyed.any():
            found[ALIASES.get(given, given)] = Keys(times[keyed], values[keyed])
    return {name: found[name] for name in BY_NAME if name in found}


def _rate(text: str | None) -> Fraction:
    if text is None:
        return DEFAULT_FPS
    if not _RATE.fullmatch(text) or not (fps := Fraction(text)) or fps > MAX_FPS:
        raise PerformanceError(
            f"fps={text[:40]!r} is no rate: give a number or a fraction (30000/1001), above 0 and at most {MAX_FPS}"
        )
    return fps


def _length(times: Array, fps: Fraction, limits: Limits) -> int:
    """Return the number of frames up to the last row. Raises InputTooLargeError above the limits."""
    seconds = float(times[-1])
    if seconds > limits.max_duration_s:
        raise InputTooLargeError(f"a performance of {seconds:g} s, at most {limits.max_duration_s:g} s are made")
    n_frames = int(np.floor(seconds * float(fps) + 1e-6)) + 1
    if n_frames > limits.max_frames:
        raise InputTooLargeError(f"a performance of {n_frames} frames, at most {limits.max_frames} are made")
    return n_frames
