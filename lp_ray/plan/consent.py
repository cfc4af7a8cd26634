"""`require_consent=true`: rows of manifests without a consent that holds today give their pairs a failure."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from lp_ray.base.errors import ConsentError
from lp_ray.contract.failure import Failure
from lp_ray.contract.media_kinds import NO_DRIVING
from lp_ray.contract.rights import Role, check_consent
from lp_ray.plan.inputs import STAGE
from lp_ray.plan.planning import Plan


def refuse_without_consent(plan: Plan, today: date) -> None:
    """Give a failure to each source and driving of a plan whose row has no consent, or one that has expired."""
    _refuse("source", plan.source_table, plan.sources.uris, plan.sources.failures, today)
    drivings = plan.drivings
    _refuse("driving", plan.driving_table.slice(0, drivings.n_own), drivings.uris, drivings.failures, today)
    drivings.fail_casts()


def _refuse(role: Role, table: pa.Table, uris: pa.Array, failures: dict[int, Failure], today: date) -> None:
    ids, consents, expires = (table[name].to_pylist() for name in (f"{role}_id", "consent", "consent_expires"))
    for row, (uri, name, consent, until) in enumerate(zip(uris.to_pylist(), ids, consents, expires, strict=False)):
        if uri == NO_DRIVING:  # it shows nobody
            continue
        try:
            check_consent(role, name, consent, until, today)
        except ConsentError as error:
            failures.setdefault(row, Failure.of(STAGE, error))
