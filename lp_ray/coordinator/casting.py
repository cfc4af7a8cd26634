"""The drivings of a pair by face: as work for the stages, and as a column of its row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lp_ray import storage
from lp_ray.plan.planning import Plan
from lp_ray.plan.work import DrivingRef, Role


def roles_of(driving: DrivingRef, template_keys: Sequence[str]) -> tuple[Role, ...]:
    """Return which face takes which driving; `template_keys` are in the order of the faces. Empty: one for all."""
    cast = [(face, member) for face, member in enumerate(driving.cast) if member is not None]
    if not cast:
        return ()
    return tuple(Role(face, member, key) for (face, member), key in zip(cast, template_keys, strict=True))


def cast_column(plan: Plan, pair: int) -> dict[str, Any]:
    """Return the column `cast` of a pair's row: the driving of each face that has one; no column for one driving."""
    cast = plan.drivings.casts.get(int(plan.pairs.driving_index[pair]))
    if cast is None:
        return {}
    table, uris = plan.driving_table, plan.drivings.uris
    roles = [
        {
            "face": face,
            "driving_id": table["driving_id"][row].as_py(),
            "driving_uri": storage.redact(uris[row].as_py()),
            "subject_id": table["subject_id"][row].as_py(),
        }
        for face, row in enumerate(cast.rows)
        if row is not None
    ]
    return {"cast": json.dumps(roles, ensure_ascii=False)}
