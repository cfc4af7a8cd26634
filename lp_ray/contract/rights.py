"""Whose faces and motions inputs are, and on what terms: columns of manifests, carried to results and data sets."""

from __future__ import annotations

from datetime import date
from typing import Literal, get_args

import pyarrow as pa

from lp_ray.base.errors import ConsentError

Role = Literal["source", "driving"]
ROLES: tuple[Role, ...] = get_args(Role)

RIGHTS = {
    "subject_id": pa.string(),
    "licence": pa.string(),
    "consent": pa.string(),
    "consent_ref": pa.string(),
    "consent_expires": pa.date32(),
    "attribution": pa.string(),
}
"""Columns of manifests of sources and drivings. None of them enters a key: they change no video.

`subject_id` names a person, the same in all rows that show them. `consent` is one of CONSENTS, `consent_ref` says where
it is written down, `consent_expires` is the last day on which it holds.
"""

NONE = "none"
CONSENTS = (NONE, "synthetic", "public-domain", "contract", "explicit")


def result_columns(role: Role) -> dict[str, pa.DataType]:
    """Return the columns of the results that hold the rights of a pair's source or driving."""
    return {f"{role}_{name}": type_ for name, type_ in RIGHTS.items()}


def rights(table: pa.Table, role: Role) -> dict[str, pa.ChunkedArray]:
    """Return the columns of a manifest that are carried to the results, under their names there."""
    return {f"{role}_{name}": table[name] for name in RIGHTS if name in table.column_names}


def check_consent(role: Role, name: str, consent: str | None, expires: date | None, today: date) -> None:
    """Raise ConsentError, which names the row, unless it states a consent that holds today."""
    row = f"{role} {name!r}"
    words = ", ".join(CONSENTS[1:])
    remedy = f"state it in the {role}s manifest (consent: {words}), or set require_consent=false, and add retry=failed"
    if consent in (None, NONE):
        raise ConsentError(f"{row} states no consent ({consent or 'the column consent is empty'}): {remedy}")
    if expires is not None and expires < today:
        raise ConsentError(f"{row}: its consent expired on {expires}: renew it, and change consent_expires")
