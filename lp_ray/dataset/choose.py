"""Judge the rows of an output by conditions: which pairs stay, and which condition each of the others fails first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray.base.errors import RefusedError
from lp_ray.contract.result_schema import DONE
from lp_ray.dataset.expression import Condition, parse
from lp_ray.dataset.presets import rules_of
from lp_ray.output.identity import IDENTITY
from lp_ray.output.scan import Scan
from lp_ray.quality.table import NAMES

UNMEASURED = "not measured: "
"""Begins the reason of a pair for which a condition needs a value that it has not."""


@dataclass(frozen=True)
class Judged:
    """Rows of the flat results table, whether each stays, and the reason why not (None for those that stay)."""

    rows: pa.Table
    kept: NDArray[np.bool_]
    reasons: NDArray[np.object_]


def column_types(scan: Scan) -> dict[str, pa.DataType]:
    """Return what conditions may name: the table's columns, and the metrics, which are null in older outputs."""
    return {**dict.fromkeys(NAMES, pa.float64()), **dict(zip(scan.schema.names, scan.schema.types, strict=True))}


def conditions_of(scan: Scan, where: str | None, preset: str | None) -> list[Condition]:
    """Return the conditions of a preset, then those of an expression. Raises RefusedError if one is wrong."""
    types = column_types(scan)
    ruled = [rule.condition for rule in rules_of(preset)] if preset else []
    found = [part for text in ruled for part in parse(text, types, f"preset={preset}")]
    return found + (parse(where, types) if where else [])


def judge(scan: Scan, conditions: Sequence[Condition], columns: Sequence[str] | None = ()) -> Iterator[Judged]:
    """Yield all rows with a verdict, in the table's order; they have the ids and `columns` (None: all).

    A pair that is not done does not stay; its status is the reason. Of the others the reason is the text of the first
    condition that is not true, after UNMEASURED where that is because a value is null.
    """
    needed = [*IDENTITY, "status", *(name for condition in conditions for name in condition.columns)]
    wanted = None if columns is None else list(dict.fromkeys([*needed, *columns]))
    for rows in scan.batches(wanted):
        table = rows
        for name in needed:
            if name not in table.column_names:  # a metric that this table has no column of
                table = table.append_column(name, pa.nulls(table.num_rows, pa.float64()))
        yield Judged(rows, *_verdicts(table, conditions))


def _verdicts(table: pa.Table, conditions: Sequence[Condition]) -> tuple[NDArray[np.bool_], NDArray[np.object_]]:
    status = pc.fill_null(table["status"], "without status")
    kept = pc.equal(status, DONE).to_numpy()
    reasons = status.to_numpy().astype(object)
    reasons[kept] = None
    for condition in conditions:
        truth = condition.judge(table)
        for said, hit in ((UNMEASURED + condition.text, truth.is_null()), (condition.text, pc.equal(truth, False))):
            fails = kept & pc.fill_null(hit, False).to_numpy().astype(np.bool_)
            reasons[fails] = said
            kept = kept & ~fails
    return kept, reasons


def required(where: str | None, preset: str | None) -> None:
    """Raise RefusedError if nothing says what to choose by."""
    if not where and not preset:
        raise RefusedError("where=… or preset=… is missing: say which pairs stay (docs/datasets.md)")
