"""Flatten the results table for data frames, so that no column holds structures or lists of texts."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

BETWEEN = "; "
"""Separator between the entries of a list of texts."""


def flat(table: pa.Table) -> pa.Table:
    """Return a table in which structures are split into columns, and lists of texts are joined into one text.

    `fps` becomes `fps_numerator` and `fps_denominator`, `seconds` becomes `seconds_template`, `seconds_track`, …. Lists
    of anything but text stay as they are. Null stays null.
    """
    columns: dict[str, pa.ChunkedArray] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_struct(column.type):
            for child, values in zip(column.type, column.flatten(), strict=True):
                columns[f"{name}_{child.name}"] = values
        elif pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type):
            columns[name] = pc.binary_join(column, BETWEEN)
        else:
            columns[name] = column
    return pa.table(columns)
