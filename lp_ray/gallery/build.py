"""Make the page of an output: the table by columns and by pages of rows, strips of pictures, curves of labels.

A second run makes only the strips and curves that are new; tables and page are written anew, each file whole or not at
all, and `meta.js`, which names the others, last.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.gallery.columns import Columns, packed, script
from lp_ray.gallery.making import TOLD, Runner, Work, names_in
from lp_ray.gallery.originals import beside
from lp_ray.gallery.page import html
from lp_ray.gallery.runs import read_runs
from lp_ray.gallery.strips import FRAMES, MOVING
from lp_ray.output.layout import OutputLayout
from lp_ray.output.scan import Scan

__all__ = ["FOLDER", "PAGE_ROWS", "Built", "Runner", "build"]

ANYWHERE = storage.Policy()

FOLDER = "gallery"
PAGE_ROWS = 1000
"""Rows in one file of rows."""
SHOWN = (
    *("pair_id", "source_id", "driving_id", "status", "stage", "error_class", "error", "score", "kind", "n_frames"),
    *("fps_numerator", "fps_denominator", "width", "height", "duration_s", "has_audio", "options"),
    *("options_without_effect", "engine", "licences", "attempts"),
)
"""Columns that a row's details show, beside metrics and `meta_*`."""


@dataclass(frozen=True)
class Built:
    """What a run has made: the page's URI, its rows, and what cannot be shown: how many, and a line on the first."""

    page: str
    rows: int
    strips: int
    curves: int
    n_lacking: int
    lacking: list[str]


def build(output: str, run: Runner = map, pictures: bool = True, policy: storage.Policy = ANYWHERE) -> Built:
    """Make or renew the page of an output (a folder or URI). Without `pictures`, only tables and the page.

    `policy` says from where pictures of sources and drivings may be read: their places come from the results.

    Raises RefusedError if the output has no results.
    """
    layout = OutputLayout(storage.normalise(output))
    root = storage.join(layout.root, FOLDER)
    scan = Scan(layout.root)
    if not len(scan):
        raise RefusedError(f"output={storage.shown(layout.root)} has no results: animate something first")
    work = Work(root, layout, policy)
    if pictures:
        work.make(scan, run)
    columns = Columns(scan.schema)
    own = [name for name in scan.schema.names if name.startswith("meta_")]
    rows = _Rows(root, work, [*SHOWN, *own])
    for batch in scan.batches():
        columns.add(batch)
        rows.add(batch)
    rows.close()
    kept = {f"rows-{page}.js" for page in range(-(-rows.n // PAGE_ROWS))}
    stale = [name for name in names_in(f"{root}/data") if _ROWS.fullmatch(name) and name not in kept]
    storage.delete_many(f"{root}/data/{name}" for name in stale)
    used = columns.finished()
    for number, column in enumerate(used):
        storage.put_bytes(f"{root}/data/column-{number}.js", script("column", number, packed(column.bytes())))
    runs = read_runs(layout)
    meta = {
        "rows": rows.n,
        "page": PAGE_ROWS,
        "columns": [column.described() for column in used],
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "name": storage.shown(layout.root).rstrip("/").rpartition("/")[2],
        "runs": runs.described(),
        "strips": {"frames": FRAMES, "moving": MOVING},
        "key": hashlib.blake2b(layout.root.encode(), digest_size=8).hexdigest(),
    }
    storage.put_bytes(f"{root}/index.html", html())
    storage.put_bytes(f"{root}/data/meta.js", script("start", meta))
    lacking = [*runs.lacking, *work.lacking]
    return Built(
        f"{root}/index.html", rows.n, work.strips, work.curves, work.n_lacking + len(runs.lacking), lacking[:TOLD]
    )


class _Rows:
    """Writes the rows' details, PAGE_ROWS to a file."""

    def __init__(self, root: str, work: Work, kept: list[str]) -> None:
        self._root, self._work, self._kept = root, work, kept
        self._page: list[dict[str, Any]] = []
        self.n = 0

    def add(self, batch: pa.Table) -> None:
        for row in batch.to_pylist():
            details = {name: row[name] for name in self._kept if row.get(name) is not None}
            details |= self._work.names(row)
            if "driving" in details:  # its strip shows that it was there, and allowed
                details["driving_file"] = beside(self._root, row.get("driving_uri"))
            for name in ("video_uri", "comparison_uri"):
                details[name] = self._beside(row.get(name))
            self._page.append({name: value for name, value in details.items() if value is not None})
            self.n += 1
            if len(self._page) == PAGE_ROWS:
                self._write()

    def close(self) -> None:
        if self._page:
            self._write()

    def _write(self) -> None:
        number = (self.n - 1) // PAGE_ROWS
        storage.put_bytes(f"{self._root}/data/rows-{number}.js", script("rows", number, self._page))
        self._page = []

    def _beside(self, uri: str | None) -> str | None:
        """Return where a file of the output lies as seen from the page; None for any other."""
        root = self._root.removesuffix(f"/{FOLDER}") + "/"
        return f"../{uri.removeprefix(root)}" if uri and uri.startswith(root) else None


_ROWS = re.compile(r"rows-\d+\.js")
