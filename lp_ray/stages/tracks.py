"""Where the faces of a clip are: landmarks on disk, read by slices, so that memory does not grow with the clip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Points
from lp_ray.base.errors import NoFaceError
from lp_ray.face.crop import PointsOfClip
from lp_ray.face.protocol import Face
from lp_ray.face.track import TrackedFrame, fill_gaps

SHOWN = 0.1
"""Who shows in a smaller part of a clip's frames is not animated there: a passer-by, or no face at all."""


@dataclass(frozen=True)
class Tracks:
    """Landmarks of each tracked face in every frame of a clip, where they are `present` (faces x n), and the frames in
    which no face was found.

    `several`: all people of the clip are tracked, not one of them.
    """

    faces: Sequence[PointsOfClip]
    present: NDArray[np.bool_]
    missing: tuple[int, ...]
    several: bool = False

    @classmethod
    def of_whole_frames(cls, n_frames: int) -> Tracks:
        """Return the tracks of a clip in which no face is looked for: no landmarks."""
        return cls([np.empty((n_frames, 0, 3))], np.ones((1, n_frames), np.bool_), ())

    @classmethod
    def of_one(cls, tracked: Iterable[TrackedFrame], folder: Path) -> Tracks:
        """Spool the track of one face into `folder`. Where it is missing, it is where it was last seen.

        Raises NoFaceError if no frame shows it.
        """
        missing: list[int] = []
        with Spool(folder / "points.f8") as points:
            for frame in fill_gaps(tracked, missing):
                points.add(frame.points)
        # One face is animated where it is missing, too: rows say how often.
        return cls([points], np.ones((1, len(points)), np.bool_), tuple(missing))

    @classmethod
    def of_all(cls, frames: Iterable[Sequence[Face | None]], folder: Path) -> Tracks:
        """Spool the tracks of everybody in a clip into `folder`: for each frame the faces of all people known by then.

        Who shows in less than SHOWN of the clip is left out. Raises NoFaceError if no frame shows a face.
        """
        people: list[_Person] = []
        with ExitStack() as stack:
            for n, faces in enumerate(frames):
                for face in faces[len(people) :]:
                    assert face is not None  # who comes into the picture is seen in that frame
                    spool = stack.enter_context(Spool(folder / f"{len(people)}.f8"))
                    people.append(_Person.coming(spool, face.points, n))
                for person, face in zip(people, faces, strict=True):
                    person.add(face)
        if not people:
            raise NoFaceError("no face in any of the clip's frames; cut the clip to where one shows")
        present = np.array([np.frombuffer(person.seen, np.bool_) for person in people])
        shares = present.mean(1)
        kept = np.flatnonzero(shares >= min(SHOWN, shares.max()))
        missing = np.flatnonzero(~present[kept].any(0)).tolist()
        return cls([people[i].spool for i in kept], present[kept], tuple(missing), several=True)

    @property
    def n_frames(self) -> int:
        return int(self.present.shape[1])

    def slice(self, start: int, stop: int) -> list[NDArray[np.float64]]:
        """Return frames [start, stop) of each face, n x K x D."""
        return [face[start:stop] for face in self.faces]


class Spool:
    """Landmarks of a whole clip on disk, read by slices. A memory map would not do: its pages stay in memory."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def __enter__(self) -> Spool:
        self._sink = self._file.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._sink.close()

    def add(self, points: Points, times: int = 1) -> None:
        """Append the landmarks of a frame, or of so many frames that have the same."""
        self._shape, self._count = points.shape, points.size
        row = np.ascontiguousarray(points, np.float64).tobytes()
        for _ in range(times):
            self._sink.write(row)

    def __len__(self) -> int:
        return self._file.stat().st_size // (8 * self._count) if self._count else 0

    def __getitem__(self, rows: slice) -> NDArray[np.float64]:
        start, stop, _ = rows.indices(len(self))
        count = max(stop - start, 0) * self._count
        read = np.fromfile(self._file, np.float64, count, offset=8 * start * self._count)
        return read.reshape(-1, *self._shape)


@dataclass
class _Person:
    """One of several people: the landmarks of every frame so far, and in which of them they were seen."""

    spool: Spool
    seen: bytearray
    held: Points

    @classmethod
    def coming(cls, spool: Spool, points: Points, n: int) -> _Person:
        """Return somebody who comes into the picture in frame `n`, and was not seen before."""
        spool.add(points, times=n)
        return cls(spool, bytearray(n), points)

    def add(self, face: Face | None) -> None:
        """Add the next frame; where there is no face, it is where it was."""
        self.held = self.held if face is None else face.points
        self.spool.add(self.held)
        self.seen.append(face is not None)
