"""Knowing when a template or a pair is whole: pieces arrive in any order, some of them twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from lp_ray.contract.failure import Failure


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

    Repeats (Ray replays what a dead actor had yielded) and pieces of settled keys are ignored. What is settled is
    forgotten, so that memory goes with the keys in flight, not with all of them.
    """

    def __init__(self) -> None:
        self._open: dict[str, _Pieces] = {}

    def expect(self, key: str, n_pieces: int) -> None:
        """Declare a key of `n_pieces` pieces, before its first piece; a second declaration of an open key changes
        nothing."""
        self._open.setdefault(key, _Pieces(n_pieces))

    def add(self, key: str, index: int, seconds: dict[str, float], failure: Failure | None) -> Outcome:
        """Take a piece in and say what it did. A whole key stays open until `settle`."""
        pieces = self._open.get(key)
        if pieces is None:  # settled
            return Outcome.KNOWN
        if failure is not None:
            del self._open[key]
            return Outcome.FAILED
        if index in pieces.seen:
            return Outcome.KNOWN
        pieces.seen.add(index)
        for stage, spent in seconds.items():
            pieces.seconds[stage] = pieces.seconds.get(stage, 0.0) + spent
        return Outcome.WHOLE if len(pieces.seen) == pieces.expected else Outcome.OPEN

    def settle(self, key: str) -> dict[str, float]:
        """Close a whole key and return the seconds its pieces took, by stage."""
        return self._open.pop(key).seconds

    def unsettled(self) -> list[str]:
        """The declared keys that are neither whole nor failed."""
        return list(self._open)
