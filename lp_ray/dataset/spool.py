"""The rows of an export on this machine's disk, in the order of the results table; read by place, not held."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Spool:
    """Rows in an Arrow file that is mapped into memory. Not to be used once its folder is gone."""

    def __init__(self, path: Path) -> None:
        with pa.memory_map(str(path)) as file:
            self._table = pa.ipc.open_file(file).read_all()

    @classmethod
    def write(cls, path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> Spool:
        """Write tables of one schema, then open them."""
        with pa.ipc.new_file(str(path), schema) as writer:
            for table in tables:
                writer.write_table(table)
        return cls(path)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def schema(self) -> pa.Schema:
        return self._table.schema

    def column(self, name: str) -> pa.ChunkedArray:
        """Return one column of all rows."""
        return self._table[name]

    def take(self, places: NDArray[np.int64]) -> pa.Table:
        """Return the rows at some places, in their order."""
        order = np.argsort(places, kind="stable")  # by place, so that each batch is found once
        chunks = np.cumsum([0, *(len(chunk) for chunk in self._table.column(0).chunks)])
        found, batches = [], self._table.to_batches()
        held = np.searchsorted(chunks, places[order], side="right") - 1
        for batch in np.unique(held).tolist():
            inside = places[order][held == batch] - chunks[batch]
            found.append(pa.Table.from_batches([batches[batch].take(pa.array(inside))]))
        back = np.empty(len(places), np.int64)
        back[order] = np.arange(len(places))
        return pa.concat_tables([self._table.schema.empty_table(), *found]).take(pa.array(back)).combine_chunks()
