"""A weight store: a folder at any path or URI with safetensors, ONNX and npz files, and a lock with their hashes.

File format: `lock.json`, version 1, is a JSON object {"format_version": 1, "files": {name: LockEntry}}. A name is a
path in the store. The lock is written last, so that every file it names is complete.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import BinaryIO, Literal, get_args

from lp_ray import storage
from lp_ray.base.errors import InputTooLargeError, MissingInputError, WeightsError

FORMAT_VERSION = 1
LOCK = "lock.json"
MAX_LOCK_BYTES = 1 << 20

Origin = Literal["official", "unpinned", "other"]
"""official: the source's hash is the published one. unpinned: no hash is known. other: it differs, and the user allowed
it."""

_NAME = re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*\.(safetensors|onnx|npz)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LockEntry:
    """Hash and size in bytes of a stored file, and of the file it was made from (`source`, in the official layout)."""

    sha256: str
    size: int
    source: str
    source_sha256: str
    source_size: int
    origin: Origin
    licence: str


class WeightStore:
    """A weight store at a place as typed. Reading raises WeightsError if there is no store."""

    def __init__(self, place: str) -> None:
        self.uri = storage.normalise(place)
        self._entries: dict[str, LockEntry] | None = None

    def __str__(self) -> str:
        return storage.display(self.uri)

    @property
    def entries(self) -> Mapping[str, LockEntry]:
        """The lock's entries, read once."""
        if self._entries is None:
            self._entries = self._read_lock()
        return self._entries

    def exists(self) -> bool:
        return storage.exists(storage.join(self.uri, LOCK))

    def entry(self, name: str) -> LockEntry:
        """Return a file's lock entry. Raises WeightsError if the store has no such file."""
        if name not in self.entries:
            raise WeightsError(f"weight store {self} has no {name}: add it with {_import_command(self)}")
        return self.entries[name]

    def read(self, name: str) -> bytes:
        """Return a file's content. Raises WeightsError if it does not match the lock."""
        entry = self.entry(name)
        try:
            data = storage.read_bytes(storage.join(self.uri, name), entry.size)
        except (FileNotFoundError, MissingInputError) as error:
            raise self._damaged(name, "is gone") from error
        except InputTooLargeError as error:
            raise self._damaged(name, f"is larger than its {entry.size} bytes") from error
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise self._damaged(name, "is not what came in: its hash differs from the lock's")
        return data

    def verify(self) -> Iterator[tuple[str, str]]:
        """Yield (name, problem) for every file in the lock; the problem is empty if the file is intact."""
        for name, entry in sorted(self.entries.items()):
            try:
                with storage.open_read(storage.join(self.uri, name)) as file:
                    digest = file_sha256(file)
            except FileNotFoundError:
                yield name, "missing"
            else:
                yield name, "" if digest == entry.sha256 else f"altered: {digest} where {entry.sha256} belongs"

    def write(self, files: Iterator[tuple[str, bytes, LockEntry]]) -> None:
        """Add or replace files one by one, then write the lock."""
        entries = dict(self.entries) if self.exists() else {}
        for name, data, entry in files:
            storage.put_bytes(storage.join(self.uri, name), data)
            entries[name] = entry
        lock = {"format_version": FORMAT_VERSION, "files": {n: asdict(entries[n]) for n in sorted(entries)}}
        storage.put_bytes(storage.join(self.uri, LOCK), json.dumps(lock, indent=1).encode())
        self._entries = entries

    def _read_lock(self) -> dict[str, LockEntry]:
        try:
            text = storage.read_bytes(storage.join(self.uri, LOCK), MAX_LOCK_BYTES)
        except (FileNotFoundError, NotADirectoryError, MissingInputError):
            raise WeightsError(
                f"no weight store at {self} (it has no {LOCK}): make one with lp-ray weights pull store={self}"
            ) from None  # the remedy is all that helps
        except InputTooLargeError as error:
            raise WeightsError(f"{self}/{LOCK} is no lock of a weight store: {error}") from error
        try:
            lock = json.loads(text)
            if lock["format_version"] != FORMAT_VERSION:
                raise ValueError(f"format {lock['format_version']}, this version reads {FORMAT_VERSION}")
            entries = {str(name): LockEntry(**entry) for name, entry in lock["files"].items()}
            if strange := [name for name in entries if not _NAME.fullmatch(name)]:
                raise ValueError(f"strange name {strange[0]!r}")
            for name, entry in entries.items():
                _check_entry(name, entry)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise WeightsError(f"{self}/{LOCK} cannot be read ({error}): {_import_command(self)}") from error
        return entries

    def _damaged(self, name: str, how: str) -> WeightsError:
        return WeightsError(f"weight store {self}: {name} {how}; bring it in again with {_import_command(self)}")


def _check_entry(name: str, entry: LockEntry) -> None:
    """Raise ValueError for an entry with a field of another kind than it has."""
    for of in fields(entry):
        kind = int if of.name in ("size", "source_size") else str
        if type(getattr(entry, of.name)) is not kind:
            raise ValueError(f"strange {of.name} of {name}")
    if not _SHA256.fullmatch(entry.sha256) or entry.size < 0:
        raise ValueError(f"strange hash or size of {name}")
    if entry.origin not in get_args(Origin):
        raise ValueError(f"strange origin of {name}")


def file_sha256(file: BinaryIO) -> str:
    """Return the SHA-256 of an open file, in constant memory."""
    digest = hashlib.sha256()
    while block := file.read(1 << 22):
        digest.update(block)
    return digest.hexdigest()


def _import_command(store: WeightStore) -> str:
    return f"lp-ray weights import input=… store={store} (or pull store={store})"
