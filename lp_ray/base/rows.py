"""How a dataclass becomes columns of a Ray Data batch, and is read from them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from functools import cache
from typing import Any, Self, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

Batch = dict[str, NDArray[Any]]
"""A Ray Data batch in numpy format."""

_SCALARS = (str, int, float, bool)


class Row:
    """Base of the row dataclasses: scalars and arrays become columns, nested dataclasses JSON text."""

    def to_batch(self) -> Batch:
        """Return this row as a batch of one."""
        return {f.name: _encode(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_batch(cls, batch: Batch) -> Iterator[Self]:
        """Yield the rows of a batch; arrays stay views of Ray's shared memory, read-only.

        Raises KeyError naming the column that an earlier stage did not provide.
        """
        hints = _hints(cls)  # type: ignore[arg-type]
        for i in range(len(next(iter(batch.values())))):
            yield cls(**{name: _decode(batch[name][i], hint) for name, hint in hints.items()})


def _encode(value: Any) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value[None]
    if isinstance(value, _SCALARS):
        return np.array([value])
    return np.array(["" if value is None else json.dumps(asdict(value))])


def _decode(value: Any, hint: Any) -> Any:
    if hint in _SCALARS:
        return hint(value)
    record = next((a for a in (get_args(hint) or (hint,)) if hasattr(a, "__dataclass_fields__")), None)
    if record is None:
        return value
    return _record(record, json.loads(value)) if value else None


def _record(kind: type, values: dict[str, Any]) -> Any:
    return kind(**{name: _nested(values[name], hint) for name, hint in _hints(kind).items()})


def _nested(value: Any, hint: Any) -> Any:
    if hasattr(hint, "__dataclass_fields__"):
        return _record(hint, value)
    return tuple(value) if isinstance(value, list) else value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def empty(*tail: int, dtype: Any) -> NDArray[Any]:
    """An array of no frames, for rows that carry a failure."""
    return np.empty((0, *tail), dtype)
