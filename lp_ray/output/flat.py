"""The results table as data frames want it: no column holds a structure or a list."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

BETWEEN = "; "
"""What stands between the entries of a list of texts."""


def flat(table: pa.Table) -> pa.Table:
    """Return a table whose structures are columns of their own, and whose lists of texts are one text.

    `fps` becomes `fps_numerator` and `fps_denominator`, `seconds` becomes `seconds_template`, `seconds_track`, …; lists
    of anything but text stay. Null stays null.
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
