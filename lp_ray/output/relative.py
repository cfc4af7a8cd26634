"""Places in the output as result rows store them: relative to the output, so that it can be copied, moved or mounted.

Columns named `<what>_uri` are such places, except those of inputs and the users' own. A place outside the output, for
example a template in another store, stays as it is; so do the places in rows that an older version wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lp_ray.contract.manifest import META_PREFIX

INPUTS = frozenset({"source_uri", "driving_uri"})


def is_place(column: str) -> bool:
    """Return whether a column of the results holds a place in the output."""
    return column.endswith("_uri") and column not in INPUTS and not column.startswith(META_PREFIX)


def shortened(row: Mapping[str, Any], root: str) -> dict[str, Any]:
    """Return a row whose places under `root` (a normalised URI) are relative to it."""
    return {
        name: value.removeprefix(f"{root}/") if isinstance(value, str) and is_place(name) else value
        for name, value in row.items()
    }


def resolved(table: pa.Table, root: str) -> pa.Table:
    """Return a table whose relative places are URIs under `root` (a normalised URI)."""
    for index, name in enumerate(table.column_names):
        if is_place(name) and table.num_rows:
            table = table.set_column(index, name, _resolve(table[name].cast(pa.string()), root))
    return table


def _resolve(places: pa.ChunkedArray, root: str) -> pa.ChunkedArray:
    whole = pc.match_substring(places, "://")
    return pc.if_else(whole, places, pc.binary_join_element_wise(f"{root}", places, "/"))
