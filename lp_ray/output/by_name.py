"""Readable names of results: made of ids, which come from anywhere, so that nothing in them can lead elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lp_ray.output.results import ResultRow

MOST = 100
"""Bytes of one id in a name: file systems take 255 for the whole name."""

_OTHERS = re.compile(r"[^\w.-]+")


def readable(text: str) -> str:
    """Return an id as part of a file's name: letters and digits of any script, `_`, `.` and `-`, not hidden."""
    kept = _OTHERS.sub("_", text).lstrip(".-").encode(errors="ignore")[:MOST]
    return kept.decode(errors="ignore") or "_"


def name_of(row: ResultRow) -> str:
    """Return the readable name of a pair's result, without suffix."""
    return f"{readable(str(row['source_id']))}__{readable(str(row['driving_id']))}"


def named(rows: Iterable[ResultRow]) -> Iterator[tuple[str, ResultRow]]:
    """Yield every row with a name of its own: rows of one name are numbered, in the order of their pair_ids."""
    taken: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: (str(row["source_id"]), str(row["driving_id"]), row["pair_id"])):
        name = name_of(row)
        count = taken[name.casefold()] = taken.get(name.casefold(), 0) + 1
        yield (name if count == 1 else f"{name}-{count}"), row
