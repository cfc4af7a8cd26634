"""What a data set consists of, counted for its card: samples by side, words by column, values of measured columns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray.dataset.people import as_people
from lp_ray.dataset.plan import Plan
from lp_ray.dataset.split import who
from lp_ray.quality.table import NAMES

WORDS = (
    *("engine", "licences", "source_licence", "driving_licence", "source_consent", "driving_consent"),
    *("source_attribution", "driving_attribution", "lp_ray_version"),
)
"""Columns whose values a card counts."""
NUMBERS = ("duration_s", "n_frames", "width", "height", *NAMES)
"""Columns whose distribution a card shows."""
_NAMING = ("subject_id", "uri", "id")


@dataclass(frozen=True)
class Side:
    """One side of the split, counted."""

    name: str
    samples: int
    identities: int
    drivings: int
    frames: int
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Statistics:
    """A data set, counted. Columns without a value are left out."""

    sides: tuple[Side, ...]
    words: dict[str, Counter[str]]
    numbers: dict[str, NDArray[np.float64]]

    @property
    def samples(self) -> int:
        return sum(side.samples for side in self.sides)


def count(plan: Plan) -> Statistics:
    """Count the samples of a plan: a column at a time, so that no row is held whole."""
    everywhere = pa.array(plan.places())

    def column(name: str) -> pa.ChunkedArray | None:
        if name not in plan.rows.schema.names:
            return None
        values = plan.rows.column(name).take(everywhere)
        return None if values.null_count == len(values) else values

    words = {name: _words(values) for name in WORDS if (values := column(name)) is not None}
    numbers = {name: _numbers(values) for name in NUMBERS if (values := column(name)) is not None}
    return Statistics(tuple(_side(plan, name) for name in plan.request.sides.names), words, numbers)


def _side(plan: Plan, name: str) -> Side:
    places = pa.array(plan.places(name))
    of = {column: plan.rows.column(column).take(places) for column in ("n_frames", "duration_s", "bytes")}
    named = [f"{role}_{part}" for role in ("source", "driving") for part in _NAMING]
    ids = pa.table(
        {column: plan.rows.column(column).take(places) for column in named if column in plan.rows.schema.names}
    )
    identities, drivings = (len(pc.unique(as_people(who(ids, role), plan.people))) for role in ("source", "driving"))
    frames, seconds, size = (pc.sum(of[column]).as_py() or 0 for column in ("n_frames", "duration_s", "bytes"))
    return Side(name, len(places), identities, drivings, int(frames), float(seconds), int(size))


def _words(values: pa.ChunkedArray) -> Counter[str]:
    counted = pc.value_counts(values.cast(pa.string()).combine_chunks())
    return Counter({str(entry["values"] or "not given"): entry["counts"] for entry in counted.to_pylist()})


def _numbers(values: pa.ChunkedArray) -> NDArray[np.float64]:
    found = values.drop_null().cast(pa.float64()).to_numpy()
    return np.asarray(found[np.isfinite(found)], np.float64)
