"""Readable names of results: made of ids, which come from anywhere, so that nothing in them can lead elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import pyarrow as pa

from lp_ray.contract.media_kinds import suffix_of
from lp_ray.contract.result_schema import DONE
from lp_ray.output.results import ResultRow

MOST = 100
"""Bytes of one id in a name: file systems take 255 for the whole name."""

_OTHERS = re.compile(r"[^\w.-]+")


def readable(text: str) -> str:
    """Return an id as part of a file's name: letters and digits of any script, `_`, `.` and `-`, not hidden.

    Of an id that is a path or URI, which it is where a manifest gives no id, only the file's own name stays.
    """
    own = PurePosixPath(text).stem if suffix_of(text) else text
    kept = _OTHERS.sub("_", own).lstrip(".-").encode(errors="ignore")[:MOST]
    return kept.decode(errors="ignore") or "_"


def name_of(row: ResultRow) -> str:
    """Return the readable name of a pair's result, without suffix."""
    return f"{readable(str(row['source_id']))}__{readable(str(row['driving_id']))}"


def named(rows: Iterable[ResultRow]) -> Iterator[tuple[str, ResultRow]]:
    """Yield every row with a name of its own: rows of one name are numbered, finished ones first, by their pair_ids."""
    taken: dict[str, int] = {}
    for row in sorted(rows, key=_order):
        name = name_of(row)
        count = taken[name.casefold()] = taken.get(name.casefold(), 0) + 1
        yield (name if count == 1 else f"{name}-{count}"), row


def _order(row: ResultRow) -> tuple[str, str, bool, str]:
    return str(row["source_id"]), str(row["driving_id"]), row["status"] != DONE, row["pair_id"]


def with_names(table: pa.Table) -> pa.Table:
    """Return a results table with the column `name` before all others; names are those of `named`."""
    ids = table.select(["source_id", "driving_id", "status", "pair_id"]).to_pylist()
    places = {id(row): place for place, row in enumerate(ids)}
    names = [""] * len(ids)
    for name, row in named(ids):
        names[places[id(row)]] = name
    return table.add_column(0, "name", pa.array(names, pa.string()))
