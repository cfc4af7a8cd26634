"""Read the results table batch by batch, so that a table of any length takes little memory.

Same rows as `read_results`, in the same order and the same flat form, but never all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.output.flat import flat
from lp_ray.output.identity import IDENTITY
from lp_ray.output.layout import OutputLayout
from lp_ray.output.parts import common_schema, fit, part_uris, read_part, read_schema
from lp_ray.output.relative import resolved
from lp_ray.output.results import latest_rows, loose_rows, loose_tables, merging
from lp_ray.storage.guard import guarded

BATCH = 4096
"""Rows held at a time."""
_DECIDING = (*IDENTITY, "finished_at")


class Scan:
    """The results table of an output as it is when this is made.

    Ids and times of all rows are held meanwhile, 100 bytes a row: they decide which row counts where a pair has two.
    """

    def __init__(self, output: str) -> None:
        """`output` is a folder or URI."""
        self._layout = OutputLayout(storage.normalise(output))
        self._uris = [*part_uris(self._layout), *merging(self._layout)]
        loose = list(loose_tables(loose_rows(self._layout)))
        schemas = [read_schema(uri) for uri in self._uris]
        self._schema = common_schema([*schemas, *(table.schema for table in loose)])
        empty = self._schema.empty_table()
        self._loose = pa.concat_tables([empty, *(fit(table, self._schema) for table in loose)])
        self._origins = {name: field.name for field in self._schema for name in _flat_names(field)}
        self.schema: pa.Schema = flat(empty).schema
        """Names and types of the flat table's columns."""
        self._kept = self._deciding()

    def __len__(self) -> int:
        return int(self._kept.sum())

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows in flat tables of at most BATCH rows, with the chosen columns.

        Columns that the table lacks are left out. Raises RefusedError if a job has changed the table meanwhile.
        """
        wanted = [name for name in (columns or self.schema.names) if name in self._origins]
        physical = list(dict.fromkeys(self._origins[name] for name in wanted))
        schema = pa.schema([self._schema.field(name) for name in physical])
        start = 0
        for batch in self._raw(physical):
            kept = self._kept[start : start + batch.num_rows]
            start += batch.num_rows
            if len(kept) < batch.num_rows:
                break
            table = fit(batch, schema)
            table = table if kept.all() else table.filter(pa.array(kept))
            yield flat(resolved(table, self._layout.root)).select(wanted)
        if start != len(self._kept):
            raise RefusedError("the results table changed while it was read: a job is at work on it; run this again")

    def _raw(self, physical: list[str]) -> Iterator[pa.Table]:
        for uri in self._uris:
            with storage.open_read(uri) as file:
                yield from _part_batches(file, physical)
        for first in range(0, self._loose.num_rows, BATCH):
            yield self._loose.select(physical).slice(first, BATCH)

    def _deciding(self) -> NDArray[np.bool_]:
        schema = pa.schema([self._schema.field(name) for name in _DECIDING])
        parts = [fit(read_part(uri, _DECIDING), schema) for uri in self._uris]
        table = pa.concat_tables([schema.empty_table(), *parts, self._loose.select(_DECIDING)])
        chosen = latest_rows(table)
        kept = np.ones(table.num_rows, np.bool_)
        if chosen is not None:
            kept[:] = False
            kept[chosen] = True
        return kept


def _part_batches(file: BinaryIO, physical: Sequence[str]) -> Iterator[pa.Table]:
    part = pq.ParquetFile(file)
    names = [name for name in physical if name in part.schema_arrow.names]
    if not names:  # an older part that lacks them all
        for first in range(0, part.metadata.num_rows, BATCH):
            rows = min(BATCH, part.metadata.num_rows - first)
            yield pa.table({"pair_id": pa.nulls(rows, pa.string())})
        return
    batches = part.iter_batches(BATCH, columns=names)
    while (batch := _next(batches)) is not None:
        yield pa.Table.from_batches([batch]).replace_schema_metadata(None)


@guarded
def _next(batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    return next(batches, None)


def _flat_names(field: pa.Field) -> list[str]:
    if pa.types.is_struct(field.type):
        return [f"{field.name}_{child.name}" for child in field.type]
    return [field.name]
