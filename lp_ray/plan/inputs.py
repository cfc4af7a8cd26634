"""The rows of the source and driving manifests with their keys, as columns.

A million rows take a few hundred MB of Arrow memory. The objects that the stages get (`SourceRef`, `DrivingRef`) are
made one at a time, on request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.errors import InputError, MissingInputError, UnsupportedError
from lp_ray.contract.face_rules import ALL_FACES, DEFAULT_FACE
from lp_ray.contract.failure import Failure
from lp_ray.contract.media_kinds import NO_DRIVING, NONE, is_performance, is_template, is_video, may_move
from lp_ray.contract.variants import AUTO
from lp_ray.media.sniff import moves
from lp_ray.motion import performed
from lp_ray.plan import keys
from lp_ray.plan.pairing import Cast
from lp_ray.plan.sounds import find_sounds
from lp_ray.plan.work import DrivingRef, SourceRef

STAGE = "plan"

_AT_ONCE = 1 << 16
"""Number of rows that are held as Python objects at a time."""
_READERS = 16
_CLOSELY = 20
"""For so many missing inputs, list neighbouring files to suggest what was meant; this costs a listing or a request
each."""


@dataclass(frozen=True)
class Sources:
    """The sources of a job. `failures` maps the row of a source that cannot be reached or animated to its failure."""

    keys: pa.Array
    uris: pa.Array
    faces: pa.Array
    boxes: pa.Array
    subjects: pa.Array
    videos: NDArray[np.bool_]
    versions: pa.Array
    failures: dict[int, Failure]
    stated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def boxed(self) -> NDArray[np.bool_]:
        """Which sources have a box."""
        return np.asarray(self.boxes.is_valid().to_numpy(zero_copy_only=False), np.bool_)

    def __getitem__(self, row: int) -> SourceRef:
        box = self.boxes[row].as_py()
        return SourceRef(
            self.keys[row].as_py(),
            self.uris[row].as_py(),
            self.faces[row].as_py(),
            tuple(box) if box else None,
            self.subjects[row].as_py(),
            bool(self.videos[row]),
            self.versions[row].as_py(),
            bool(self.stated[row]),
        )


@dataclass(frozen=True)
class Drivings:
    """The drivings of a job. `failures` maps the row of a driving that cannot be reached to its failure."""

    keys: pa.Array
    uris: pa.Array
    faces: pa.Array
    starts: pa.Array
    ends: pa.Array
    versions: pa.Array
    failures: dict[int, Failure]
    sounds: pa.Array
    sound_versions: pa.Array
    performed: NDArray[np.bool_]
    """Which rows name a performance; of a cast, its first driving does."""
    casts: Mapping[int, Cast] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def with_sound(self) -> NDArray[np.bool_]:
        """Which drivings are performances with a sound beside them; of casts, those with any such driving."""
        marks = np.array(pc.not_equal(self.sounds, "").to_numpy(zero_copy_only=False), np.bool_)
        for row, cast in self.casts.items():
            marks[row] = marks[cast.members].any()
        return marks

    def __getitem__(self, row: int) -> DrivingRef:
        columns = (self.keys, self.uris, self.faces, self.starts, self.ends, self.versions)
        by_face = self.casts[row].rows if row in self.casts else ()
        key, uri, face, start, end, version = (column[row].as_py() for column in columns)
        sound = self.sounds[row].as_py(), self.sound_versions[row].as_py()
        cast = tuple(None if member is None else self[member] for member in by_face)
        return DrivingRef(key, uri, face, start, end, version, *sound, cast)

    @property
    def n_own(self) -> int:
        """How many rows are drivings of the manifest; casts follow them."""
        return len(self) - len(self.casts)

    def fail_casts(self) -> None:
        """Give every cast the first failure of its drivings, and no other."""
        for row, cast in self.casts.items():
            self.failures.pop(row, None)
            if failed := [self.failures[member] for member in cast.members if member in self.failures]:
                self.failures[row] = failed[0]

    @property
    def performances(self) -> NDArray[np.bool_]:
        """Which drivings are performances; a cast is if all its drivings are."""
        return self._with_casts(self.performed.copy())

    @property
    def templates(self) -> NDArray[np.bool_]:
        """Which drivings are motion templates, or count as such; a cast is if all its drivings are."""
        return self._with_casts(_marks(self.uris, is_template))

    def _with_casts(self, marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
        for row, cast in self.casts.items():
            marks[row] = marks[cast.members].all()
        return marks


def resolve_sources(table: pa.Table, policy: storage.Policy, engine: str, variant: str) -> Sources:
    """Turn source rows into references with keys. A row that cannot be reached or animated gets a failure.

    A row without a subject gets the engine's variant as its subject.
    """
    failures: dict[int, Failure] = {}
    uris = _locate(table["uri"], policy, failures)
    tags = _versions(uris, table, failures)
    faces, subjects = _filled(table["face"], DEFAULT_FACE), _filled(table["subject"], variant)
    boxes = _joined(table["box"])
    media = _joined(table["media"])
    guessed, stated = _look_like_videos(uris), media.is_valid().to_numpy(zero_copy_only=False)
    videos = np.where(stated, _is(media, "video"), guessed)
    # If the manifest only repeats what the file tells, `media` stays out of the key: it is the same pair.
    against = pc.if_else(pa.array(videos != guessed), media, None)
    made = _keyed(keys.source_key, uris, tags, faces, boxes, subjects, against)
    sources = Sources(made, uris, faces, boxes, subjects, videos, tags, failures, stated)
    suspects = videos | _is(subjects, "animal") | ~_is(subjects, variant)
    for row in np.flatnonzero(suspects).tolist():
        unfit = None if row in failures else _unfit(sources[row], engine, variant)
        if unfit:
            failures[row] = Failure.of(STAGE, unfit)
    return sources


def _unfit(source: SourceRef, engine: str, variant: str) -> InputError | None:
    """Return why this engine cannot animate a source, judged by its row alone; None if nothing speaks against it."""
    if source.subject not in (variant, AUTO):
        remedy = "use engine=liveportrait engine.variant=animal" if source.subject == "animal" else "say subject=animal"
        return UnsupportedError(f"subject={source.subject} with engine={engine}, variant {variant}: {remedy}")
    if source.is_video and variant == "animal" and source.face == ALL_FACES:
        return UnsupportedError(f"face={ALL_FACES!r} of animals needs a picture: of a video choose one face")
    return None


def resolve_drivings(table: pa.Table, policy: storage.Policy, casts: Mapping[int, Cast] | None = None) -> Drivings:
    """Turn driving rows into references with keys. A row that cannot be reached gets a failure.

    `casts` are the rows that consist of others: they have their key, their version and their failure from those.
    """
    failures: dict[int, Failure] = {}
    typed = pc.if_else(pc.equal(table["uri"], NONE), NO_DRIVING, table["uri"])
    uris = _locate(typed, policy, failures, frozenset({NO_DRIVING}))
    tags = _versions(uris, table, failures)
    faces = _filled(table["face"], DEFAULT_FACE)
    starts, ends = _joined(table["start_s"]), _joined(table["end_s"])
    cut = pc.and_(pc.equal(uris, NO_DRIVING), pc.or_(starts.is_valid(), ends.is_valid()))
    for row in np.flatnonzero(cut.to_numpy(zero_copy_only=False)).tolist():
        failures[row] = Failure.of(STAGE, UnsupportedError("there is no driving to cut: leave out start_s and end_s"))
    sounds = find_sounds(uris, failures)
    performances = _marks(uris, is_performance)
    curves = pa.array(np.full(len(uris), performed.VERSION), pa.int64(), mask=~performances)
    made = _keyed(keys.driving_key, uris, tags, faces, starts, ends, *sounds, curves)
    if casts:
        made, tags = _of_casts(casts, made, tags)
    drivings = Drivings(made, uris, faces, starts, ends, tags, failures, *sounds, performances, casts or {})
    drivings.fail_casts()
    return drivings


def _of_casts(casts: Mapping[int, Cast], made: pa.Array, tags: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the keys and versions with those of the casts. A cast's version is its key: it changes with every file
    behind it."""
    known, versions = made.to_pylist(), tags.to_pylist()
    for row, cast in casts.items():
        known[row] = versions[row] = keys.cast_key([None if member is None else known[member] for member in cast.rows])
    return pa.array(known, pa.string()), pa.array(versions, pa.string())


def _locate(
    typed: pa.ChunkedArray, policy: storage.Policy, failures: dict[int, Failure], own: frozenset[str] = frozenset()
) -> pa.Array:
    """Return each row's normalised URI. A URI that is malformed or not allowed gets a failure; a malformed one stays as
    typed. `own` are names of ours, which stand for no file."""
    pieces = []
    for first in range(0, len(typed), _AT_ONCE):
        uris = typed.slice(first, _AT_ONCE).to_pylist()
        for offset, uri in enumerate(uris):
            try:
                uris[offset] = storage.normalise(uri)
                if uris[offset] not in own:
                    policy.check(uris[offset])
            except InputError as error:
                failures[first + offset] = Failure.of(STAGE, error)
        pieces.append(pa.array(uris, pa.string()))
    return pa.chunked_array(pieces, pa.string()).combine_chunks()


def _versions(uris: pa.Array, table: pa.Table, failures: dict[int, Failure]) -> pa.Array:
    """Return each row's version tag. A row whose file does not exist gets a failure.

    A version in the manifest is trusted. For the other rows, the store is asked.
    """
    given = _joined(table["version"])
    given = pc.if_else(pc.equal(uris, NO_DRIVING), str(performed.VERSION), given)
    lacking = pc.fill_null(pc.equal(given, ""), True).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(lacking)
    if not len(rows):
        return given
    asked = [row for row in rows.tolist() if row not in failures] if failures else rows
    found = storage.version_tags(uris.take(pa.array(asked, pa.int64())).to_pylist())
    tags = np.full(len(uris), "absent", object)
    tags[asked] = found
    for n, row in enumerate(np.asarray(asked, np.int64)[[tag is None for tag in found]].tolist()):
        tags[row] = "absent"
        reason = storage.absence(table["uri"][row].as_py(), closely=n < _CLOSELY)
        failures[row] = Failure.of(STAGE, MissingInputError(reason))
    return pc.if_else(pa.array(lacking), pa.array(tags, pa.string()), given)


def _look_like_videos(uris: pa.Array) -> NDArray[np.bool_]:
    """Return which sources are videos: by name, or by content for local pictures of a format that may move."""
    videos = np.zeros(len(uris), np.bool_)
    with ThreadPoolExecutor(_READERS) as readers:
        for first in range(0, len(uris), _AT_ONCE):
            window = uris.slice(first, _AT_ONCE).to_pylist()
            videos[first : first + len(window)] = [is_video(uri) for uri in window]
            unsure = [row for row, uri in enumerate(window) if may_move(uri) and storage.is_local(uri)]
            for row, answer in zip(unsure, readers.map(_moves, [window[row] for row in unsure]), strict=True):
                videos[first + row] = videos[first + row] if answer is None else answer
    return videos


def _moves(uri: str) -> bool | None:
    """Return whether a local picture moves; None if it cannot be read, which a later step reports."""
    path = storage.local_path(uri)
    try:
        return None if path is None else moves(Path(path))
    except (InputError, OSError, ValueError):
        return None


def _keyed(key: Callable[..., str], *columns: pa.Array) -> pa.Array:
    pieces = [pa.array([key(*row) for row in rows], pa.string()) for rows in _batches(*columns)]
    return pa.chunked_array(pieces, pa.string()).combine_chunks()


def _batches(*columns: pa.Array) -> Iterator[Iterator[tuple[object, ...]]]:
    for first in range(0, len(columns[0]), _AT_ONCE):
        yield zip(*(column.slice(first, _AT_ONCE).to_pylist() for column in columns), strict=True)


def _marks(uris: pa.Array, kind: Callable[[str], bool]) -> NDArray[np.bool_]:
    """Return which URIs are of a kind, by their names."""
    return np.array([kind(uri) for uri in uris.to_pylist()], np.bool_)


def _is(column: pa.Array, word: str) -> NDArray[np.bool_]:
    matches: NDArray[np.bool_] = pc.fill_null(pc.equal(column, word), False).to_numpy(zero_copy_only=False)
    return matches.copy()


def _filled(column: pa.ChunkedArray, default: str) -> pa.Array:
    """Return a text column in which null and empty values are replaced by a default."""
    joined = _joined(column)
    return pc.if_else(pc.fill_null(pc.equal(joined, ""), True), default, joined)


def _joined(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one contiguous array, so that a row is found without a search."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
