"""`require_consent=true`: rows of manifests without a consent that holds today give their pairs a failure."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lp_ray.base.errors import ConsentError
from lp_ray.contract.failure import Failure
from lp_ray.contract.media_kinds import NO_DRIVING
from lp_ray.contract.rights import Role, check_consent
from lp_ray.plan.inputs import STAGE, Drivings, Sources
from lp_ray.plan.planning import Plan


def refuse_without_consent(plan: Plan, today: date) -> None:
    """Give a failure to each source and driving of a plan whose row has no consent, or one that has expired.

    A face of a file may stand in several rows. Its work is done once, for all of them: each row must state consent.
    """
    _refuse("source", plan.source_table, plan.sources, len(plan.sources), today)
    drivings = plan.drivings
    _refuse("driving", plan.driving_table, drivings, drivings.n_own, today)
    drivings.fail_casts()


def _refuse(role: Role, table: pa.Table, inputs: Sources | Drivings, n_rows: int, today: date) -> None:
    names = (f"{role}_id", "consent", "consent_expires")
    ids, consents, expires = (table[name].slice(0, n_rows).to_pylist() for name in names)
    refused: dict[str, Failure] = {}
    shown = np.flatnonzero(pc.not_equal(inputs.uris.slice(0, n_rows), NO_DRIVING)).tolist()  # that shows nobody
    keys = inputs.keys.take(pa.array(shown)).to_pylist()
    for row, key in zip(shown, keys, strict=True):
        try:
            check_consent(role, ids[row], consents[row], expires[row], today)
        except ConsentError as error:
            refused.setdefault(key, Failure.of(STAGE, error))
    for row, key in zip(shown, keys, strict=True):
        if key in refused:
            inputs.failures.setdefault(row, refused[key])
