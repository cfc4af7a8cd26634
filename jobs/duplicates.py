"""Find near-duplicates among a manifest's inputs: `lp-ray duplicates --help`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.base.errors import InputError, RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.manifest import read_manifest
from lp_ray.contract.media_kinds import is_template
from lp_ray.contract.tables import check_writable_name, to_bytes
from lp_ray.face.crop import limit_size
from lp_ray.face.identity.chips import align
from lp_ray.face.identity.network import IdentityNetwork
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.select import select_face
from lp_ray.media.clip import open_footage
from lp_ray.media.gather import gather
from lp_ray.quality.duplicates import groups, picture_hash, same_people, same_pictures

from .cli import main
from .exit_codes import EXIT_DONE, EXIT_SOME_FAILED
from .numbers import number
from .places import check_many, file_to_write
from .setup import limits_from, policy_from, required

FRAMES = 5
"""Frames of a clip that are looked at, evenly spaced."""
MOST = 100_000
SIDE = 1280
"""Longest side, pixels, of what is looked at."""


def run(config: DictConfig) -> int:
    """Look at every input, then write the table: what each one repeats, and why one could not be looked at."""
    kind: Any = required(config, "kind")
    if kind not in ("source", "driving"):
        raise RefusedError(f"kind={kind!r} must be source or driving")
    check_many(kind, required(config, "input"))
    check_writable_name(required(config, "output"))
    there = file_to_write("output", required(config, "output"))
    pictures, faces = (number(name, config[name], 0, most) for name, most in (("pictures", 64), ("faces", 2)))
    table = read_manifest(required(config, "input"), kind)
    if len(table) > MOST:
        raise RefusedError(f"input: {len(table)} rows, at most {MOST} are compared with each other")
    looks = _Looks(limits_from(config), policy_from(config))
    seen = [looks.at(uri) for uri in table["uri"].to_pylist()]
    ids = np.array(table[f"{kind}_id"].to_pylist(), object)
    hashes = np.stack([look.hashes for look in seen]) if seen else np.zeros((0, FRAMES), np.uint64)
    known = np.array([not look.error for look in seen], bool)
    alike = groups(len(seen), [(i, j) for i, j in same_pictures(hashes, int(pictures)) if known[i] and known[j]])
    people = groups(len(seen), list(same_people(np.stack([look.face for look in seen]), faces)))
    found = pa.table(
        {
            f"{kind}_id": ids.tolist(),
            "uri": table["uri"],
            "same_picture_as": _first(ids, alike),
            "same_person_as": _first(ids, people),
            "face_found": [bool(np.isfinite(look.face).all()) for look in seen],
            "error": pa.array([look.error or None for look in seen], pa.string()),
        }
    )
    storage.put_bytes(there, to_bytes(found, required(config, "output")))
    failed = int((~known).sum())
    repeats, persons = (len(seen) - len(set(first.tolist())) for first in (alike, people))
    print(f"{len(seen)} {kind}s: {repeats} repeat another's picture, {persons} another's person")
    print(f"{failed} could not be looked at; table: {storage.shown(there)}")
    return EXIT_SOME_FAILED if failed else EXIT_DONE


class _Look:
    """What is kept of an input: hashes of FRAMES frames, the embedding of its largest face (NaN: none), or an error."""

    def __init__(self, hashes: NDArray[np.uint64], face: NDArray[np.float32], error: str = "") -> None:
        self.hashes, self.face, self.error = hashes, face, error


class _Looks:
    def __init__(self, limits: Limits, policy: storage.Policy) -> None:
        self._limits, self._policy = limits, policy
        self._landmarker, self._network = MediaPipeLandmarker(), IdentityNetwork()

    def at(self, typed: str) -> _Look:
        nobody, nothing = np.full(128, np.nan, np.float32), np.zeros(FRAMES, np.uint64)
        try:
            uri = storage.normalise(typed)
            self._policy.check(uri)
            if is_template(uri):
                return _Look(nothing, nobody, "a motion template shows no picture")
            frames = self._frames(uri)
        except (InputError, FileNotFoundError) as error:
            return _Look(nothing, nobody, storage.redact(str(error)))
        hashes = np.array([picture_hash(frame) for frame in frames], np.uint64)
        found = self._landmarker.detect(frames[0])
        if not found:
            return _Look(hashes, nobody)
        chip = align(frames[0], select_face(found, "large-small").points)
        return _Look(hashes, self._network(chip[None])[0])

    def _frames(self, uri: str) -> list[Image]:
        with storage.local_copy(uri, self._limits) as path:
            clip = open_footage(path, self._limits)
            at = np.linspace(0, clip.n_frames - 1, FRAMES).round().astype(np.intp)
            return gather(clip, at, lambda frame: limit_size(frame, SIDE))


def _first(ids: NDArray[np.object_], first: NDArray[np.int64]) -> pa.Array:
    """Return the id of the group's first input for all but that one."""
    own = np.arange(len(ids))
    return pa.array([None if row == to else str(ids[to]) for row, to in zip(own, first, strict=True)], pa.string())


if __name__ == "__main__":
    main("duplicates", run)
