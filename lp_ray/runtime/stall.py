"""A graph that has come to a standstill because a node is gone is begun anew on the nodes that are left.

Ray starts a dead node's actors again where there is room, and Ray Data gives rows to no other actor than the one that
has them. Where the nodes that are left have no room for one actor of every stage, nothing moves any more: the actors
that live wait for those that do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import ray
from ray.data.exceptions import ExecutionTimeoutError

from lp_ray.base.errors import StalledError
from lp_ray.contract.failure import Failure
from lp_ray.runtime.assembly import Assembly, Outcome


class Piece(Protocol):
    """What a graph yields: one of several pieces of an input row, or why there are none."""

    @property
    def index(self) -> int: ...

    @property
    def failure(self) -> Failure | None: ...


In = TypeVar("In")
Out = TypeVar("Out", bound=Piece)


@dataclass(frozen=True)
class Course(Generic[In, Out]):
    """One graph: how rows go through it, and which row a piece belongs to.

    `key_of` gives the key of a piece's row, `n_pieces` how many pieces that row has, as a piece of it tells.
    """

    run: Callable[[Sequence[In]], Iterator[Out]]
    key_of: Callable[[Out], str]
    n_pieces: Callable[[In, Out], int]


def stream(rows: Mapping[str, In], course: Course[In, Out], regroup: Callable[[], bool]) -> Iterator[Out]:
    """Yield the pieces of every row; some may come twice.

    `regroup` fits the actors to the nodes that are left and says whether any were gone: it is called at the beginning,
    and at a standstill, where the rows that are not whole start again. Raises StalledError at a standstill that no
    node's end explains.
    """
    lacking, assembly = dict(rows), Assembly()
    regroup()
    while True:
        try:
            for piece in course.run(list(lacking.values())):
                _take_in(piece, lacking, assembly, course)
                yield piece
            return
        except ExecutionTimeoutError as standstill:
            if not regroup():
                raise StalledError(_advice(standstill)) from standstill


def living_nodes() -> set[str]:
    """Return the ids of the cluster's nodes that are alive."""
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]


def _take_in(piece: Out, lacking: dict[str, In], assembly: Assembly, course: Course[In, Out]) -> None:
    key = course.key_of(piece)
    if key not in lacking:
        return
    assembly.expect(key, course.n_pieces(lacking[key], piece))
    outcome = assembly.add(key, piece.index, {}, piece.failure)
    if outcome is Outcome.WHOLE:
        assembly.settle(key)
    if outcome in (Outcome.WHOLE, Outcome.FAILED):
        del lacking[key]


def _advice(standstill: ExecutionTimeoutError) -> str:
    said = str(standstill).split("If this is expected")[0].strip()
    return (
        f"{said} If the cluster only waits for nodes, or chunks take longer than that, raise cluster.stall_s; else "
        "`ray status` tells what the actors wait for"
    )
