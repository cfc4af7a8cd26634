"""Casts as rows of the drivings: a driving that consists of others, one for each face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from lp_ray.base.errors import RefusedError
from lp_ray.contract.casts import COLUMN
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.plan.inputs import Sources
from lp_ray.plan.pairing import Cast, Pairs


def keep_used(drivings: pa.Table, pairs: Pairs) -> tuple[pa.Table, Pairs, dict[int, Cast]]:
    """Leave out the drivings that no pair uses, and append a row for each cast, with what its drivings agree on.

    Returns the table, the pairs with their places in it, and the casts by their row.
    """
    n = drivings.num_rows
    members = [row for cast in pairs.casts for row in cast.rows if row is not None]
    marks = np.zeros(n, np.bool_)
    marks[pairs.driving_index[pairs.driving_index < n]] = True
    marks[members] = True
    places = np.cumsum(marks) - 1
    kept = drivings.filter(pa.array(marks))
    casts = {
        len(kept) + i: replace(cast, rows=tuple(None if row is None else int(places[row]) for row in cast.rows))
        for i, cast in enumerate(pairs.casts)
    }
    moved = np.concatenate([places, np.arange(len(kept), len(kept) + len(casts))])[pairs.driving_index]
    rows = [_agreed(kept, cast) for cast in casts.values()]
    table = pa.concat_tables([kept, pa.Table.from_pylist(rows, schema=kept.schema)]) if rows else kept
    return table, replace(pairs, driving_index=moved, casts=()), casts


def _agreed(drivings: pa.Table, cast: Cast) -> dict[str, object]:
    """Return the row of a cast: the first driving's file, and of the other columns what is the same in all.

    A consent holds as long as the one that ends first.
    """
    rows = drivings.take(pa.array(cast.members)).to_pylist()
    same = {name: value if all(row[name] == value for row in rows) else None for name, value in rows[0].items()}
    same["consent_expires"] = min((row["consent_expires"] for row in rows if row["consent_expires"]), default=None)
    return {**same, "driving_id": cast.text, "uri": rows[0]["uri"], "face": None, "start_s": None, "end_s": None}


def check_casts(sources: Sources, pairs: Pairs, casts: dict[int, Cast]) -> None:
    """Raise RefusedError, which names the pair, for a cast whose source has not `face: all`."""
    if not casts:
        return
    faces = np.array([face == ALL_FACES for face in sources.faces.to_pylist()])
    wrong = np.flatnonzero(np.isin(pairs.driving_index, list(casts)) & ~faces[pairs.source_index])
    if len(wrong):
        raise RefusedError(
            f"pairs manifest row {int(wrong[0])}: {COLUMN} are given by face, and its source is one face: say "
            f"face={ALL_FACES!r} in the sources manifest, or give a driving_id"
        )
