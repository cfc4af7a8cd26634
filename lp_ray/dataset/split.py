"""Splits by source identity and by driving, never by pair: no face and no motion stands on two sides.

Every identity and every driving has a place between 0 and 1, a hash of its name and the seed, which falls into the
part of one side. A pair counts only if both fall on one side: of crossed sources and drivings, shares of 0.8, 0.1 and
0.1 keep 0.8² + 0.1² + 0.1² = 66 %. Where all are crossed, a name stays on its side when the output grows.

Sources and drivings that pairs connect are a component (`pairing=zip` has as many as pairs, `cross` one). A component
with less than `SMALL` of the smallest side's pairs goes to one side whole, and so loses nothing; its side may change
when it grows, or is small no more.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lp_ray.base.errors import RefusedError
from lp_ray.contract.media_kinds import NO_DRIVING

CAST = "cast"
"""Column of pairs whose faces have drivings of their own: `lp_ray.contract.result_schema`."""

SMALL = 0.1
"""Share of the smallest side that a component may have, to be kept together: larger ones would make sides uneven."""
LEFT_OUT = -1
"""As a side: the pair's source and driving fall on different sides."""
_TRIED = 50
_SIDE = re.compile(r"\s*([A-Za-z][\w-]{0,29})\s*=\s*([0-9.eE+-]+)\s*")


@dataclass(frozen=True)
class Sides:
    """The sides of a split, in order, with their shares of the identities and of the drivings; shares add up to 1."""

    names: tuple[str, ...]
    shares: tuple[float, ...]

    def __str__(self) -> str:
        return ",".join(f"{name}={share:g}" for name, share in zip(self.names, self.shares, strict=True))


WHOLE = Sides(("train",), (1.0,))


def parse_sides(text: str | None) -> Sides:
    """Read `train=0.8,val=0.1,test=0.1`; None is one side, train. Raises RefusedError."""
    if not text:
        return WHOLE
    found: dict[str, float] = {}
    for part in text.split(","):
        match = _SIDE.fullmatch(part)
        try:
            share = float(match[2]) if match else math.nan
        except ValueError:
            share = math.nan
        if match is None or not 0 < share <= 1 or match[1] in found:
            raise RefusedError(f"split={text!r}: {part!r} must be name=share, a share above 0, each name once")
        found[match[1]] = share
    if abs(sum(found.values()) - 1) > 1e-6:
        raise RefusedError(f"split={text!r}: the shares add up to {sum(found.values()):g}, they must add up to 1")
    return Sides(tuple(found), tuple(found.values()))


@dataclass(frozen=True)
class Endpoints:
    """Who is in each pair: `names` of identities and drivings, and for each pair the place of its own among them."""

    names: pa.Array
    source: NDArray[np.int64]
    driving: NDArray[np.int64]

    @classmethod
    def of(cls, sources: pa.ChunkedArray, drivings: pa.ChunkedArray) -> Endpoints:
        """Number the names of pairs' identities and drivings; one name in both roles is one."""
        both = pa.chunked_array([*sources.chunks, *drivings.chunks], pa.string())
        coded = both.combine_chunks().dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(coded.dictionary, codes[: len(sources)], codes[len(sources) :])


def who(rows: pa.Table, role: str) -> pa.ChunkedArray:
    """Return the name of each row's identity (role source) or driving: its `subject_id` where given, else its file.

    Cuts of one clip, and faces of one picture, are one. Rows of older versions that do not name the file go by its id.
    A pair without a driving has no motion that could stand on two sides: its source stands for that, too.
    """
    named = [
        pc.binary_join_element_wise(kind, rows[name].cast(pa.string()), ":")
        for kind, name in (("subject", f"{role}_subject_id"), ("file", f"{role}_uri"), ("id", f"{role}_id"))
        if name in rows.column_names
    ]
    if role == "driving" and (several := casts(rows)):
        firsts = [cast[0] if cast else None for cast in several]
        named = [pa.chunked_array([pa.array(firsts, pa.string())]), *named]
    names = pc.coalesce(*named)
    if role == "driving" and "driving_uri" in rows.column_names:
        none = pc.fill_null(pc.equal(rows["driving_uri"], NO_DRIVING), False)
        if pc.any(none).as_py():
            names = pc.if_else(none, who(rows, "source"), names)
    return names


def casts(rows: pa.Table) -> list[list[str]]:
    """Return the names of each row's drivings, as `who` gives them, where it has several; else an empty list.

    Empty where no row has several: most tables have millions of rows and no cast.
    """
    if CAST not in rows.column_names or rows[CAST].null_count == len(rows):
        return []
    each = (json.loads(cast) if cast else [] for cast in rows[CAST].to_pylist())
    return [[_name_of(one) for one in cast] for cast in each]


def _name_of(driving: dict[str, str | None]) -> str:
    subject = driving["subject_id"]
    return f"subject:{subject}" if subject else f"file:{driving['driving_uri']}"


def assign(pairs: Endpoints, sides: Sides, seed: int) -> NDArray[np.int64]:
    """Return the side of each pair, or LEFT_OUT.

    Raises RefusedError, which names a seed that would do if there is one, if a side is empty.
    """
    if not len(pairs.source):
        return np.zeros(0, np.int64)
    together = _small_components(pairs, sides)
    found = _assigned(pairs, together, sides, seed)
    if empty := _empty(found, sides):
        others = (other for other in range(_TRIED) if not _empty(_assigned(pairs, together, sides, other), sides))
        other = next(others, None)
        remedy = "give it a larger share" if other is None else f"seed={other} gives every side some"
        raise RefusedError(
            f"split={sides}: with seed={seed} no pair falls on {empty[0]!r}, of {len(pairs.names)} identities and "
            f"drivings: {remedy}"
        )
    return found


def _empty(found: NDArray[np.int64], sides: Sides) -> list[str]:
    return [name for side, name in enumerate(sides.names) if not (found == side).any()]


def _assigned(pairs: Endpoints, together: NDArray[np.int64], sides: Sides, seed: int) -> NDArray[np.int64]:
    places = _places(pairs.names, seed)
    joined = together >= 0
    first = np.full(int(together.max(initial=-1)) + 1, np.inf)
    np.minimum.at(first, together[joined], places[joined])
    # The least of n even places is not even; raised to n it is, but n changes: the place is drawn anew from it.
    places[joined] = np.modf(first * 2**31)[0][together[joined]]
    edges = np.cumsum(sides.shares)[:-1]
    side = np.searchsorted(edges, places, side="right")
    return np.where(side[pairs.source] == side[pairs.driving], side[pairs.source], LEFT_OUT)


def _places(names: pa.Array, seed: int) -> NDArray[np.float64]:
    """Return an even number in [0, 1) for each name, of 53 bits."""
    digests = (blake2b(f"{seed}\n{name}".encode(), digest_size=8).digest() for name in names.to_pylist())
    whole = np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)
    return (whole >> np.uint64(11)).astype(np.float64) / 2.0**53


def _small_components(pairs: Endpoints, sides: Sides) -> NDArray[np.int64]:
    """Return for each name the number of its component if that goes to one side whole, else -1."""
    n = len(pairs.names)
    edges = coo_array((np.ones(len(pairs.source), np.int8), (pairs.source, pairs.driving)), shape=(n, n))
    count, component = connected_components(edges.tocsr(), directed=False)
    sizes = np.bincount(component[pairs.source], minlength=count)
    few = sizes <= max(1.0, SMALL * min(sides.shares) * len(pairs.source))
    return np.where(few[component], component, -1).astype(np.int64)


def leaks(pairs: Endpoints, side: NDArray[np.int64]) -> Sequence[str]:
    """Return the names that stand on two sides: none, if `side` is from `assign`. What an export checks before it
    begins."""
    kept = side != LEFT_OUT
    names = np.concatenate([pairs.source[kept], pairs.driving[kept]])
    both = np.unique(np.stack([names, np.concatenate([side[kept], side[kept]])], axis=1), axis=0)
    doubled, counts = np.unique(both[:, 0], return_counts=True)
    return [str(name) for name in pairs.names.take(pa.array(doubled[counts > 1])).to_pylist()]
