"""A pair's labels as named arrays, from its Parquet file of one row: a list for each label, an entry per frame."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.errors import StoppedError
from lp_ray.base.limits import OURS

COLUMN = "labels_uri"
_ABOUT = b"lp_ray.labels"
"""Key of what a file of labels says of itself, as JSON."""


def read_labels_table(uri: str) -> pa.Table:
    """Read a pair's labels: one row. Raises StoppedError if the file is missing or has another form."""
    try:
        table = pq.read_table(io.BytesIO(storage.read_bytes(uri, OURS.max_bytes)))
    except FileNotFoundError as error:
        raise StoppedError(f"{storage.shown(uri)} is missing: run the job again, it makes labels whole") from error
    except pa.ArrowInvalid as error:
        raise StoppedError(f"{storage.shown(uri)} is damaged: {error}") from error
    if table.num_rows != 1:
        raise StoppedError(f"{storage.shown(uri)} has {table.num_rows} rows, the labels of a pair have one")
    return table


def as_arrays(table: pa.Table) -> dict[str, NDArray[Any]]:
    """Return each label as an array; the first side of a list is frames. Nulls among numbers are NaN.

    A list whose entries differ in length becomes two arrays: all values one after the other, and `<name>.lengths`.
    """
    found: dict[str, NDArray[Any]] = {}
    for name in table.column_names:
        found.update(_arrays(name, table[name].combine_chunks()))
    said = (table.schema.metadata or {}).get(_ABOUT)
    return found if said is None else _whole(found, json.loads(said))


def _whole(found: dict[str, NDArray[Any]], about: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Give labels the shapes that their file states for a frame, and landmarks their places in the picture."""
    for name, shape in about.get("shapes", {}).items():
        found[name] = found[name].reshape(len(found[name]), *shape)
    if "landmarks" in found and "middle of face_box" in str(about.get("landmarks")):
        boxes, offsets = found["face_box"], found["landmarks"].astype(np.float32)
        offsets[..., :2] += ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float32)[:, None]
        found["landmarks"] = offsets
    return found


def as_npz(table: pa.Table) -> bytes:
    """Return a pair's labels as a compressed `.npz`, the same bytes for the same labels, without pickles."""
    sink = io.BytesIO()
    np.savez_compressed(sink, allow_pickle=False, **as_arrays(table))
    return sink.getvalue()


def _arrays(name: str, column: pa.Array) -> Iterator[tuple[str, NDArray[Any]]]:
    values: Any = column
    sides: list[int] = []
    while _is_list(values.type):
        lengths = values.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        values = values.flatten()
        if len(lengths) and (lengths != lengths[0]).any():
            yield f"{name}.lengths", lengths.astype(np.int64)
            sides = [-1]
            continue
        if sides != [-1]:
            sides.append(int(lengths[0]) if len(lengths) else 0)
    if pa.types.is_struct(values.type):
        for child, part in zip(values.type, values.flatten(), strict=True):
            shape = sides if sides != [-1] else [len(part)]
            yield f"{name}.{child.name}", _plain(part).reshape(shape)
        return
    shape = [len(values)] if sides == [-1] else sides
    yield name, _plain(values).reshape(shape)


def _is_list(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_))


def _plain(values: pa.Array) -> NDArray[Any]:
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return np.array([text or "" for text in values.to_pylist()], np.str_)
    if pa.types.is_binary(values.type):
        return np.array(values.fill_null(b"").to_pylist(), np.bytes_)
    if pa.types.is_boolean(values.type):
        return np.asarray(values.fill_null(False).to_numpy(zero_copy_only=False), np.bool_)
    return np.asarray(values.to_numpy(zero_copy_only=False))
