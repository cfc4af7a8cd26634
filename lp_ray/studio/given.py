"""What a visitor gives to a batch: files, a folder of them, or a manifest; kept with the batch, and made a manifest."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from lp_ray.base.errors import RefusedError
from lp_ray.contract.media_kinds import IMAGE_SUFFIXES, MEDIA_SUFFIXES, VIDEO_SUFFIXES, is_performance, suffix_of
from lp_ray.contract.tables import format_of

INPUTS = "inputs"
"""Folder of an output in which a batch keeps what it was given."""

_OF_A_FOLDER = {"source": IMAGE_SUFFIXES | VIDEO_SUFFIXES, "driving": MEDIA_SUFFIXES}
"""Suffixes that are taken from a folder; it may hold anything."""


@dataclass(frozen=True)
class Given:
    """Files for one role, and what of a folder was left out, by name."""

    files: list[str]
    left_out: list[str] = field(default_factory=list)

    def note(self, kind: str) -> list[str]:
        """Return a line on what was left out."""
        if not self.left_out:
            return []
        more = f" and {len(self.left_out) - 5} more" if len(self.left_out) > 5 else ""
        return [f"{kind}s: left out of the folder, as no {kind}: {', '.join(self.left_out[:5])}{more}"]


def gather(kind: str, files: Sequence[str] | None, folder: Sequence[str] | None) -> Given:
    """Return what was given as files and as a folder. Of a folder pictures and clips are taken, by name."""
    by_name = sorted(folder or (), key=lambda file: Path(file).name)
    taken = [file for file in by_name if suffix_of(file) in _OF_A_FOLDER[kind]]
    left_out = [Path(file).name for file in by_name if suffix_of(file) not in _OF_A_FOLDER[kind]]
    return Given([*(files or ()), *taken], left_out)


def keep(given: Given, folder: Path, write: bool) -> Given:
    """Return the same files under `folder`, which outlives the visit, so that a job can end and be resumed.

    Uploads lie in folders that are named by their content: the same file given again has the same place, and a pair its
    key. Without `write` nothing is copied, and a file that is not there yet stays where it is.
    """
    places = []
    for file in map(Path, given.files):
        at = folder / file.parent.name[:32] / file.name
        if write and not at.exists():
            at.parent.mkdir(parents=True, exist_ok=True)
            part = at.with_name(f".{uuid4().hex}")
            shutil.copyfile(file, part)
            part.replace(at)
        places.append(str(at if at.exists() else file))
    return Given(places, given.left_out)


def check(given: Given, kind: str, manifests: bool) -> None:
    """Raise RefusedError if there is nothing, a manifest beside other files, or one where `manifests` is false: it may
    name any file of this machine, so only its own user may give one."""
    if not given.files:
        empty = "there is no picture or clip in the folder"
        raise RefusedError(f"{kind}s: {empty if given.left_out else 'give a manifest, or pictures and clips'}")
    tables = _tables(given)
    if tables and len(given.files) > 1:
        raise RefusedError(f"{kind}s: one manifest, or pictures and clips; not both")
    if tables and not manifests:
        raise RefusedError(f"{kind}s: a manifest names files of the server; give pictures and clips themselves")


def manifest(given: Given, kind: str, folder: Path) -> Path:
    """Return the manifest of what was given and checked: a manifest as it is, or one made in `folder`."""
    if tables := _tables(given):
        return Path(tables[0])
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / f"{kind}s.parquet"
    pq.write_table(pa.table({"uri": given.files, f"{kind}_id": _ids(given.files)}), made)
    return made


def _ids(files: Sequence[str]) -> list[str]:
    """Return an id for each file, no two alike: its name, with its place in the list if others are called so too."""
    names = [Path(file).stem for file in files]
    times = Counter(names)
    wanted = [name if times[name] == 1 else f"{name}-{i}" for i, name in enumerate(names)]
    taken, alone = set(wanted), {name for name in names if times[name] == 1}
    # Results are stored under ids: only a repeated name whose number is another file's name gets a number of its own.
    spare = count(len(names))
    ids = []
    for name, wish in zip(names, wanted, strict=True):
        if times[name] > 1 and wish in alone:
            wish = next(other for n in spare if (other := f"{name}-{n}") not in taken)
        ids.append(wish)
    return ids


def _tables(given: Given) -> list[str]:
    return [file for file in given.files if format_of(file) and not is_performance(file)]
