"""Knowing when a template or a pair is whole: pieces arrive in any order, some of them twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from lp_ray.stages.rows import Failure


@dataclass
class _Pieces:
    expected: int
    seen: set[int] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)


class Outcome(Enum):
    """What a piece did to its key."""

    OPEN = "more pieces to come"
    KNOWN = "nothing: it had come before, or its key is settled"
    WHOLE = "this piece was the last one lacking"
    FAILED = "this piece failed the key"


class Assembly:
    """Collects pieces by key until each key is whole or has failed, exactly once.

    Repeats (Ray replays what a dead actor had yielded) and pieces of settled keys are ignored.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Pieces] = {}
        self._settled: set[str] = set()

    def expect(self, key: str, n_pieces: int) -> None:
        """Declare a key of `n_pieces` pieces; a second declaration changes nothing."""
        if key not in self._settled:
            self._open.setdefault(key, _Pieces(n_pieces))

    def add(self, key: str, index: int, seconds: dict[str, float], failure: Failure | None) -> Outcome:
        """Take a piece in and say what it did. A whole key stays open until `settle`."""
        if key in self._settled:
            return Outcome.KNOWN
        if failure is not None:
            self._settle(key)
            return Outcome.FAILED
        pieces = self._open[key]
        if index in pieces.seen:
            return Outcome.KNOWN
        pieces.seen.add(index)
        for stage, spent in seconds.items():
            pieces.seconds[stage] = pieces.seconds.get(stage, 0.0) + spent
        return Outcome.WHOLE if len(pieces.seen) == pieces.expected else Outcome.OPEN

    def settle(self, key: str) -> dict[str, float]:
        """Close a whole key and return the seconds its pieces took, by stage."""
        seconds = self._open[key].seconds
        self._settle(key)
        return seconds

    def unsettled(self, keys: Iterable[str]) -> list[str]:
        """Those of `keys` that are neither whole nor failed."""
        return [key for key in keys if key not in self._settled]

    def _settle(self, key: str) -> None:
        self._open.pop(key, None)
        self._settled.add(key)
