"""Rows that a program gives in place of a manifest: paths, dicts, tables, data frames, datasets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import pyarrow as pa

from lp_ray.base.errors import RefusedError


class DataFrame(Protocol):
    """A pandas data frame, as far as Arrow needs it."""

    columns: Any
    index: Any


class Dataset(Protocol):
    """A Ray dataset."""

    def iter_batches(self, *, batch_format: str) -> Iterable[pa.Table]:
        """Yield the rows, here as Arrow tables."""
        ...


Rows: TypeAlias = pa.Table | DataFrame | Dataset | Iterable[str | Path | Mapping[str, Any]]
"""Rows of a manifest, in any of these forms."""


def as_table(rows: Rows, single: str) -> pa.Table:
    """Return rows as a table, unchecked. A path stands for a row that has nothing but the column `single`.

    Raises RefusedError for rows that are none of these forms, or whose values do not fit into one column.
    """
    if isinstance(rows, pa.Table):
        return rows
    try:
        if hasattr(rows, "iter_batches"):
            return pa.concat_tables([*rows.iter_batches(batch_format="pyarrow")], promote_options="permissive")
        if hasattr(rows, "columns") and hasattr(rows, "index"):
            return pa.Table.from_pandas(rows, preserve_index=False)
        if isinstance(rows, str | Path | Mapping):
            rows = [rows]
        dicts = [dict(row) if isinstance(row, Mapping) else {single: str(row)} for row in rows]
    except TypeError as error:
        raise RefusedError(
            f"rows must be paths, dicts, an Arrow table, a data frame or a Ray dataset: {error}"
        ) from error
    names = dict.fromkeys(name for row in dicts for name in row)  # from_pylist goes by the first row alone
    try:
        return pa.table({name: [_plain(row.get(name)) for row in dicts] for name in names})
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise RefusedError(f"rows given: {error}") from error


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
