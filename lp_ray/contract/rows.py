"""Rows: dataclasses that travel between processes as columns of a Ray Data batch.

Scalars and arrays have their own columns. A dict of arrays is one column, as safetensors. All else is JSON text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from lp_ray.contract.failure import Failure

Batch = dict[str, NDArray[Any]]
"""A Ray Data batch in numpy format."""

Arrays = dict[str, NDArray[Any]]
"""Named arrays in a row."""

_SCALARS = (str, int, float, bool)


@dataclass(frozen=True)
class Trace:
    """What the runtime records about a row on its way. Stages do not read it.

    `seconds`: time that stages spent on this row, by stage, unless an earlier row of the same call counted it already.
    `failure`: why the row carries no content.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    failure: Failure | None = None


def array(*shape: int | str) -> Any:
    """Declare an array column by its shape. Variable sides have a name; the first side is 0 if there is no content."""
    return field(metadata={"shape": shape})


def bytes_if_any(*shape: int | str) -> Any:
    """Declare an array column of bytes that a row with content may lack: then the array is empty, as it is by
    default."""
    sides = (0, *(side if isinstance(side, int) else 0 for side in shape[1:]))
    return field(default_factory=lambda: np.empty(sides, np.uint8), metadata={"shape": shape})


@dataclass(frozen=True)
class Row:
    """Base class of rows. Fields are scalars, arrays (see `array`), `Arrays`, dataclasses, and optional values."""

    trace: Trace = field(default_factory=Trace, kw_only=True)

    _declared: ClassVar[tuple[_Column, ...]]

    def to_batch(self) -> Batch:
        """Return this row as a batch of one."""
        return {column.name: column.encode(getattr(self, column.name)) for column in _columns(type(self))}

    @classmethod
    def from_batch(cls, batch: Batch) -> Iterator[Self]:
        """Yield the rows of a batch. Arrays are read-only views of Ray's shared memory.

        Raises KeyError, which names a column that the earlier stage did not provide.
        """
        columns = _columns(cls)
        if missing := [column.name for column in columns if column.name not in batch]:
            raise KeyError(f"{cls.__name__} has no column {missing[0]!r} among {', '.join(batch)}")
        for i in range(len(batch["trace"])):
            yield cls(**{column.name: column.decode(batch[column.name][i]) for column in columns})

    @classmethod
    def without_content(cls, row: Row, trace: Trace) -> Self:
        """Return the row after `row` if there is no content: fields that both have are copied, all others and arrays
        are empty."""
        values = {
            column.name: getattr(row, column.name) if hasattr(row, column.name) else column.empty()
            for column in _columns(cls)
            if column.name != "trace"
        }
        for column in _columns(cls):
            if column.shape is not None:
                values[column.name] = column.empty()
        return cls(**values, trace=trace)


@dataclass(frozen=True)
class _Column:
    """How one field travels. `shape` is set for arrays."""

    name: str
    hint: Any
    shape: tuple[int | str, ...] | None

    def encode(self, value: Any) -> NDArray[Any]:
        if self.shape is not None:
            return np.asarray(value)[None]
        if self.hint == Arrays:
            return np.frombuffer(_pack(value), np.uint8)[None]
        if self.hint in _SCALARS:
            return np.array([value])
        return np.array([msgspec.json.encode(value).decode()])

    def decode(self, value: Any) -> Any:
        if self.shape is not None:
            return value
        if self.hint == Arrays:
            return safetensors.numpy.load(value.tobytes())
        if self.hint in _SCALARS:
            return self.hint(value)
        return _decoder(self.hint).decode(str(value))

    def empty(self) -> Any:
        if self.shape is not None:
            sides = [0, *(side if isinstance(side, int) else 0 for side in self.shape[1:])]
            return np.empty(sides, get_args(get_args(self.hint)[1])[0])
        if type(None) in get_args(self.hint):
            return None
        if self.hint is str:  # text fields are keys: without its key, nobody could collect the row
            raise TypeError(f"the row before does not say {self.name!r}")
        return (get_origin(self.hint) or self.hint)()


def _pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    return safetensors.numpy.save({name: np.ascontiguousarray(rows) for name, rows in arrays.items()})


def _columns(kind: type[Row]) -> tuple[_Column, ...]:
    if "_declared" not in vars(kind):
        hints = get_type_hints(kind)
        columns = tuple(_Column(f.name, hints[f.name], f.metadata.get("shape")) for f in fields(kind))
        kind._declared = columns
    return kind._declared


@cache
def _decoder(hint: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(hint)
