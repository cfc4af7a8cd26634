"""Which columns of the results go into a data set, and what the row of one sample is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from lp_ray.base.json_values import finite
from lp_ray.contract.casts import ids_of, is_cast
from lp_ray.contract.measuring import SOURCE_FACE
from lp_ray.contract.media_kinds import suffix_of
from lp_ray.output.by_name import readable
from lp_ray.output.relative import is_place

WITHHELD = frozenset(
    {
        *("source_uri", "source_version", "driving_uri", "driving_version", "cast"),
        SOURCE_FACE,
        *("status", "stage", "error_class", "error", "score", "attempts", "started_at", "finished_at"),
    }
)
"""Columns that say where a job's inputs lie, or how it went: those who get a data set have no use of them. The
embedding of a face is what people are recognised by: it is no part of a data set."""
IDS = ("source_id", "driving_id")
_OF_STAGES = "seconds_"
_AT_ONCE = 256


def is_fact(column: str) -> bool:
    """Return whether a column of the flat results table goes into the data set."""
    return column not in WITHHELD and not is_place(column) and not column.startswith(_OF_STAGES)


def published(rows: pa.Table) -> pa.Table:
    """Return the facts of rows. Ids say no longer where files lie: a row to which no id was given goes by its URI."""
    chosen = rows.select([name for name in rows.column_names if is_fact(name)])
    for name in IDS:
        if name in chosen.column_names:
            coded = chosen[name].combine_chunks().dictionary_encode()
            words = pa.array([_readable_ids(value) for value in coded.dictionary.to_pylist()], pa.string())
            chosen = chosen.set_column(chosen.column_names.index(name), name, words.take(coded.indices))
    return chosen


def facts(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the facts of each sample, as JSON can hold them; all have the same keys, and `options` is an object."""
    chosen = published(rows)
    for first in range(0, chosen.num_rows, _AT_ONCE):
        for row in chosen.slice(first, _AT_ONCE).to_pylist():
            yield {name: _plain(name, value) for name, value in row.items()}


def as_json(sample: dict[str, Any]) -> bytes:
    """Return a sample's facts as JSON of one line, the same bytes for the same facts."""
    return json.dumps(
        finite(sample), sort_keys=True, ensure_ascii=False, separators=(", ", ": "), default=str, allow_nan=False
    ).encode()


def _readable_ids(value: str) -> str:
    if is_cast(value):
        return json.dumps([name and _readable_ids(name) for name in ids_of(value)], ensure_ascii=False)
    return readable(value) if suffix_of(value) else value


def _plain(name: str, value: Any) -> Any:
    if name == "options" and value is not None:
        try:
            return json.loads(value)
        except ValueError:  # not written by lp_ray
            return value
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date | datetime) else value
