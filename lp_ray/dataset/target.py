"""Where an export goes: files that appear whole, and notes under `.export/` of what is finished, for the next try."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lp_ray import storage
from lp_ray.base.errors import RefusedError

NOTES = ".export"


@dataclass(frozen=True)
class File:
    """A finished file: its name in the data set, its size and its hash."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Finished:
    """A finished shard, and its files."""

    name: str
    side: str
    n: int
    files: tuple[File, ...]


class Target:
    """A folder or URI that one export fills. `root` is a normalised URI."""

    def __init__(self, root: str) -> None:
        self.root = root

    def claim(self, digest: str) -> None:
        """Make this the place of a plan, or go on with the same plan.

        Raises RefusedError if the place holds the export of another plan, or files that no export wrote.
        """
        note = storage.join(self.root, NOTES, "plan.json")
        if storage.exists(note):
            if json.loads(storage.read_bytes(note))["digest"] != digest:
                raise RefusedError(
                    f"to={storage.shown(self.root)} holds an export of other pairs or settings: choose another place, "
                    "or remove that one (a job that has gone on meanwhile changes the pairs: name a selection)"
                )
            return
        strange = next((page[0].uri for page in storage.pages(self.root, deep=True) if page), None)
        if strange is not None:
            raise RefusedError(f"to={storage.shown(self.root)} is not empty ({storage.shown(strange)}): choose another")
        storage.put_bytes(note, json.dumps({"digest": digest}).encode())

    def put(self, path: Path, name: str) -> File:
        """Copy a local file into the data set, whole or not at all."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        storage.put_file(path, storage.join(self.root, *name.split("/")))
        return File(name, path.stat().st_size, digest)

    def put_bytes(self, data: bytes, name: str) -> File:
        """Write a small file into the data set, whole or not at all."""
        storage.put_bytes(storage.join(self.root, *name.split("/")), data)
        return File(name, len(data), hashlib.sha256(data).hexdigest())

    def note(self, shard: Finished) -> None:
        """Note that a shard is finished: its files are in their places."""
        storage.put_bytes(self._note(shard.name), json.dumps(asdict(shard), sort_keys=True).encode())

    def finished(self, name: str) -> Finished | None:
        """Return a shard that an earlier try has finished, or None."""
        uri = self._note(name)
        if not storage.exists(uri):
            return None
        known = json.loads(storage.read_bytes(uri))
        return Finished(known["name"], known["side"], known["n"], tuple(File(**file) for file in known["files"]))

    def _note(self, name: str) -> str:
        return storage.join(self.root, NOTES, "shards", name.replace("/", "-") + ".json")
