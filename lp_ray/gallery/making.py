"""The pictures and curves of the page: which are lacking, who makes them, and what cannot be made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from lp_ray import storage
from lp_ray.base.errors import InputError, NoLabelsError
from lp_ray.contract.media_kinds import is_template
from lp_ray.contract.result_schema import DONE
from lp_ray.gallery.curves import curves_script
from lp_ray.gallery.names import Names
from lp_ray.gallery.strips import FRAMES, Told, Wanted, make_strips, not_asked, store_of
from lp_ray.output.labels import read_labels
from lp_ray.output.layout import OutputLayout
from lp_ray.output.scan import Scan

AT_ONCE = 32
"""Strips made by one task."""
TOLD = 100
"""Lines on what cannot be shown that are kept."""

STRIPS, CURVES = "strips", "curves"
_MAKING = (
    "pair_id",
    "status",
    "video_uri",
    "sha256",
    "kind",
    "n_frames",
    "source_uri",
    "driving_uri",
    "labels_level",
    "source_version",
    "driving_version",
)

T = TypeVar("T")

Runner = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
"""Runs a function on pieces, somewhere, and yields its answers in any order."""


class Work:
    """The pictures and curves of the page. Names are hashes and hexadecimal ids, never an input's own."""

    def __init__(self, root: str, layout: OutputLayout, policy: storage.Policy) -> None:
        self._root, self._policy = root, policy
        self.there = Names(name for part in (STRIPS, CURVES) for name in names_in(f"{root}/{part}"))
        self._output, self._labels = layout.root, Names(names_in(layout.labels))
        self.strips = self.curves = self.n_lacking = 0
        self.lacking: list[str] = []
        self._silent: set[str] = set()  # stores that did not answer

    def make(self, scan: Scan, run: Runner) -> None:
        """Make what is lacking, and count it. Rows are read as there is room to work on them."""
        for told in run(make_strips, _batched(self._lacking_strips(scan))):
            self.strips += sum(map(self._took, told))
        for told in run(_Curves(self._output), _batched(self._lacking_curves(scan))):
            self.curves += sum(map(self._took, told))

    def _took(self, told: Told) -> bool:
        """Note what became of a file. Return whether it was made."""
        if not told.why:
            self.there.add(told.to.rpartition("/")[2])
            return True
        self.n_lacking += 1
        if len(self.lacking) < TOLD:
            self.lacking.append(told.why)
        if told.silent:
            self._silent.add(told.silent)
        return False

    def _lacking_strips(self, scan: Scan) -> Iterator[Wanted]:
        asked = Names()  # `there` grows only as pieces end
        for row in _each(scan):
            for name, uri, kind in self._pictures(row):
                if name not in self.there and name not in asked:
                    asked.add(name)
                    wanted = Wanted(uri, kind, f"{self._root}/{STRIPS}/{name}")
                    if store_of(uri) in self._silent:
                        self._took(not_asked(wanted))
                    else:
                        yield wanted

    def _lacking_curves(self, scan: Scan) -> Iterator[tuple[str, str]]:
        asked = Names()
        for row in _each(scan) if self._labels else ():
            name = self.labels_name(row)
            if name is not None and name not in self.there and name not in asked:
                asked.add(name)
                yield str(row["pair_id"]), f"{self._root}/{CURVES}/{name}"

    def names(self, row: dict[str, Any]) -> dict[str, str | None]:
        """Return the files of a row that are there: its strip, those of its source and driving, its curves."""
        wanted = {
            "strip": self.result_name(row),
            "source": self.input_name(row, "source"),
            "driving": self.input_name(row, "driving"),
            "curves": self.labels_name(row),
        }
        return {part: name for part, name in wanted.items() if name in self.there}

    def result_name(self, row: dict[str, Any]) -> str | None:
        """Return the name of a result's strip; None without a result."""
        if row["status"] != DONE or not row.get("video_uri"):
            return None
        # One of a few frames was as long as they are; now it has FRAMES, and another name, so that it is made again.
        few = f"-{FRAMES}" if 1 < (row.get("n_frames") or 0) < FRAMES else ""
        return f"{_hex(row['pair_id'])}-{_version(row)}{few}.jpg"

    def input_name(self, row: dict[str, Any], role: str) -> str | None:
        """Return the name of the strip of a source or driving; None where there is nothing to see, or none may look.

        Another file at the same place has another version, and so another strip.
        """
        uri = row.get(f"{role}_uri")
        if not uri or is_template(uri):
            return None
        try:
            self._policy.check(uri)
        except InputError:
            return None
        told = "\n".join([uri, str(row.get(f"{role}_version")), str(FRAMES)])  # its length is known to nobody here
        return f"in-{hashlib.blake2b(told.encode(), digest_size=12).hexdigest()}.jpg"

    def labels_name(self, row: dict[str, Any]) -> str | None:
        """Return the name of a pair's curves; None without labels."""
        if row["status"] != DONE or f"{row['pair_id']}.parquet" not in self._labels:
            return None
        return f"{_hex(row['pair_id'])}-{_version(row)}-{_hex(str(row.get('labels_level')))}.js"

    def _pictures(self, row: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        if (name := self.result_name(row)) is not None:
            yield name, row["video_uri"], str(row.get("kind") or "")
        for role in ("source", "driving"):
            if (name := self.input_name(row, role)) is not None:
                yield name, row[f"{role}_uri"], ""


def _version(row: dict[str, Any]) -> str:
    """Return what tells a result from one that was made again, as part of a name."""
    return _hex(str(row.get("sha256") or "")[:8] or "none")


def _each(scan: Scan) -> Iterator[dict[str, Any]]:
    for batch in scan.batches(_MAKING):
        yield from batch.to_pylist()


def _batched(items: Iterator[T]) -> Iterator[list[T]]:
    while some := list(islice(items, AT_ONCE)):
        yield some


@dataclass(frozen=True)
class _Curves:
    """Makes curves of labels, one file a pair; answers as `make_strips` does. Picklable."""

    output: str

    def __call__(self, wanted: list[tuple[str, str]]) -> list[Told]:
        told = []
        for pair_id, to in wanted:
            try:
                data = curves_script(read_labels(self.output, pair_id))
            except NoLabelsError as error:
                told.append(Told(to, storage.redact(str(error))))
                continue
            storage.put_bytes(to, data)
            told.append(Told(to))
        return told

    __name__ = "curves"


def names_in(folder: str) -> Iterator[str]:
    """Yield the names of the files in a folder."""
    return (info.uri.rpartition("/")[2] for page in storage.pages(folder) for info in page)


def _hex(pair_id: str) -> str:
    """Return a pair's id as a file's name; a hash of one that is not ours."""
    text = str(pair_id)
    return text if text.isalnum() and len(text) <= 64 else hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
