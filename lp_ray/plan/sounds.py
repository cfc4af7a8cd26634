"""Find the sound files that lie beside performances."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from lp_ray import storage
from lp_ray.base.errors import UnsupportedError
from lp_ray.contract.failure import Failure
from lp_ray.contract.media_kinds import SOUND_SUFFIXES, is_performance, sound_stem, sounds_beside

STAGE = "plan"

_AT_ONCE = 1 << 14
"""Number of local tables whose sounds are looked for at a time."""


def find_sounds(uris: pa.Array, failures: dict[int, Failure]) -> tuple[pa.Array, pa.Array]:
    """Return the sound beside each driving, and its version; empty where there is none.

    A table with several sounds gets a failure, because none of them is the one that is meant. A row that has a failure
    already is passed over. Costs a look for each suffix of a local table, and a listing of each folder of a store.
    """
    tables = [row for row, uri in enumerate(uris.to_pylist()) if is_performance(uri) and row not in failures]
    named = {row: uris[row].as_py() for row in tables}
    present = set(_present(named.values()))
    sounds, versions = (np.full(len(uris), "", object) for _ in range(2))
    found: dict[int, str] = {}
    for row, uri in named.items() if present else ():
        beside = [sound for sound in sounds_beside(uri) if sound in present]
        if len(beside) > 1:
            listed = ", ".join(storage.name_of(sound) for sound in beside)
            reason = f"several sounds beside {storage.name_of(uri)}: {listed}; keep the one that it is performed to"
            failures[row] = Failure.of(STAGE, UnsupportedError(reason))
        elif beside:
            found[row] = beside[0]
    rows = [*found]
    sounds[rows] = list(found.values())
    versions[rows] = [tag or "absent" for tag in storage.version_tags(list(found.values()))]
    return pa.array(sounds, pa.string()), pa.array(versions, pa.string())


def _present(tables: Iterable[str]) -> Iterator[str]:
    """Yield the sounds that exist beside tables."""
    folders: dict[str, set[str]] = {}
    local: list[str] = []
    for uri in tables:
        if storage.is_local(uri):
            local.append(uri)
        elif stem := sound_stem(uri):
            folders.setdefault(uri.rpartition("/")[0], set()).add(stem)
    for first in range(0, len(local), _AT_ONCE):
        yield from storage.versions(sound for uri in local[first : first + _AT_ONCE] for sound in sounds_beside(uri))
    for folder, stems in folders.items():
        yield from _listed(folder, stems)


def _listed(folder: str, stems: set[str]) -> Iterator[str]:
    """Yield the sounds of a store's folder. One listing, because a request for each suffix of each table is dear."""
    shared = os.path.commonprefix([stem[len(folder) + 1 :] for stem in stems])  # noqa: RUF071 - text, not a path
    for page in storage.pages(folder, starting=shared):
        for info in page:
            stem, dot, ending = info.uri.rpartition(".")
            if dot + ending in SOUND_SUFFIXES and stem in stems:
                yield info.uri
