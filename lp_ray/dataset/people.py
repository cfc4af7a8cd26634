"""One person in several files: which names of a split are one, by the embeddings of sources' faces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray.quality.duplicates import groups, same_people

MOST = 100_000
"""Faces that are compared with each other, at most: some minutes."""

People = Mapping[str, str]
"""Name in a split -> the name that stands for all of that person's. Names that stand for themselves are left out."""


def find_people(names: pa.ChunkedArray, faces: pa.ChunkedArray, most: float) -> People:
    """Return which names show one person: their faces are no farther apart than `most` (L2), directly or by others.

    `faces` are lists of 128 numbers, null where none is known. A name with several faces (a picture of a group) joins
    all that are like one of them. The first name in the order of the alphabet stands for the others. Raises ValueError
    for more than MOST faces.
    """
    known, embeddings = _distinct(names, faces)
    if len(known) > MOST:
        raise ValueError(f"{len(known)} faces, at most {MOST} are compared with each other")
    order = np.argsort(np.array(known, object), kind="stable")
    sorted_names, each = [known[i] for i in order], embeddings[order]
    own: dict[str, int] = {}
    same_name = [(own.setdefault(name, i), i) for i, name in enumerate(sorted_names)]
    first = groups(len(each), [*same_name, *same_people(each, most)])
    return {name: sorted_names[to] for name, to in zip(sorted_names, first, strict=True) if sorted_names[to] != name}


def as_people(names: pa.ChunkedArray, people: People) -> pa.ChunkedArray:
    """Return the names, each replaced by the one that stands for it."""
    if not people:
        return names
    at = pc.index_in(names, pa.array(people.keys(), pa.string()))
    return pc.coalesce(pc.take(pa.array(people.values(), pa.string()), at), names)


def joined(people: People, casts: Iterable[Sequence[str]]) -> People:
    """Return the people, and with them the names that stand together in one of the casts: a video that shows two
    motions keeps both on its side."""
    links = [(name, other) for cast in casts for name, other in pairwise(cast)]
    if not links:
        return people
    names = sorted({name for link in (*links, *people.items()) for name in link})
    place = {name: i for i, name in enumerate(names)}
    first = groups(len(names), [(place[one], place[other]) for one, other in (*links, *people.items())])
    return {name: names[to] for name, to in zip(names, first.tolist(), strict=True) if names[to] != name}


def _distinct(names: pa.ChunkedArray, faces: pa.ChunkedArray) -> tuple[list[str], NDArray[np.float32]]:
    """Return each pair of a name and a face once: sources are repeated in many rows."""
    found: dict[tuple[str, bytes], None] = {}
    for batch in pa.table({"name": names, "face": faces}).to_batches():
        batch = batch.filter(pc.equal(pc.list_value_length(batch["face"]), 128))
        if not len(batch):
            continue
        rows = batch["face"].flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, 128)
        codes = batch["name"].dictionary_encode()
        keyed = np.column_stack([codes.indices.to_numpy().astype(np.float64), rows])
        for place in np.unique(keyed.view(f"V{keyed.shape[1] * 8}").ravel(), return_index=True)[1].tolist():
            found[batch["name"][place].as_py(), rows[place].tobytes()] = None
    each = np.array([np.frombuffer(face, np.float32) for _, face in found], np.float32).reshape(-1, 128)
    return [name for name, _ in found], each
