"""A set of many file names in little memory: which strips, curves and labels of a million pairs are there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

_MERGED_AT = 50_000
"""Names added one by one that are held in a set before they join the array."""


class Names:
    """Names, by 8 bytes of their hash each: of ten million, two that are taken for each other are one case in 300,000.

    Then a picture would be missing on the page, and nothing else.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._sorted = np.zeros(0, np.uint64)
        self._new: set[int] = set()
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Add a name."""
        self._new.add(_digest(name))
        if len(self._new) >= _MERGED_AT:
            self._sorted = np.union1d(self._sorted, np.fromiter(self._new, np.uint64, len(self._new)))
            self._new.clear()

    def __bool__(self) -> bool:
        return bool(self._new) or len(self._sorted) > 0

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        wanted = _digest(name)
        at = int(np.searchsorted(self._sorted, np.uint64(wanted)))
        return wanted in self._new or (at < len(self._sorted) and int(self._sorted[at]) == wanted)


def _digest(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest())
