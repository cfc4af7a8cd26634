"""A cast says which driving each face of a source takes: the column `drivings` of the pairs manifest.

It is a list of driving ids, one for each face in order (`lp_ray.face`: from left to right); null leaves that face as it
is. In text tables it is a JSON list. Inside, a cast is that list as JSON text, which is also the pair's `driving_id`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lp_ray.base.errors import RefusedError

COLUMN = "drivings"

MAX_FACES = 16
"""How many faces of one picture can be animated together: the limit of a row between stages."""


def as_casts(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """Return a column of lists of ids, or of JSON lists as text, as canonical JSON text; null stays null.

    Raises RefusedError, which names the row.
    """
    kind = column.type
    known = pa.types.is_string, pa.types.is_list, pa.types.is_large_list, pa.types.is_null
    if not any(is_kind(kind) for is_kind in known):
        raise RefusedError(f"{where}: column {COLUMN!r} holds {kind}, not lists of driving ids")
    texts = [_canonical(value, row, where) for row, value in enumerate(column.to_pylist())]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _canonical(value: Any, row: int, where: str) -> str | None:
    if isinstance(value, str):
        value = _parsed(value) if value.strip() else None
    if value is None:
        return None
    ids = isinstance(value, list) and all(name is None or (isinstance(name, str) and name) for name in value)
    if not ids or not 1 <= len(value) <= MAX_FACES or not any(value):
        raise RefusedError(
            f"{where}: row {row}: {COLUMN}={str(value)[:60]} must be a list of 1 to {MAX_FACES} driving ids, one for "
            'each face (null: the face stays as it is), such as ["d0", null, "d1"]'
        )
    return json.dumps(value, ensure_ascii=False)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def is_cast(driving_id: str) -> bool:
    """Return whether the `driving_id` of a row of the results is a cast."""
    ids = _parsed(driving_id) if driving_id.startswith("[") else None
    return isinstance(ids, list) and all(name is None or isinstance(name, str) for name in ids)


def ids_of(cast: str) -> Sequence[str | None]:
    """Return the driving id of each face, None for one that stays as it is."""
    ids: list[str | None] = json.loads(cast)
    return ids


def check_either(columns: dict[str, pa.ChunkedArray], where: str) -> None:
    """Raise RefusedError unless each row has a `driving_id` or a cast, and not both."""
    named = pc.not_equal(pc.fill_null(pc.utf8_trim_whitespace(columns["driving_id"]), ""), "")
    both, none = pc.and_(named, columns[COLUMN].is_valid()), pc.invert(pc.or_(named, columns[COLUMN].is_valid()))
    for marks, said in ((both, "has a driving_id and drivings: leave one out"), (none, "'driving_id' is empty")):
        row = pc.index(marks, True).as_py()
        if row >= 0:
            raise RefusedError(f"{where}: row {row}: {said}")
