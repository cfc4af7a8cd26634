"""What a row of the results is known by: which pair, and under which ids."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

IDENTITY = ("pair_id", "source_id", "driving_id")
"""The columns that say which planned pair a row belongs to."""


def identities(rows: pa.Table) -> pa.ChunkedArray:
    """Return what tells rows apart, one text each: the columns of IDENTITY that are there, with NUL between."""
    columns = (rows[name] for name in IDENTITY if name in rows.column_names)
    return pc.binary_join_element_wise(*(pc.fill_null(column.cast(pa.string()), "") for column in columns), "\0")
