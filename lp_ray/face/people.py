"""Follow every face of a clip: each stays the same person, also where two of them cross.

Faces are followed from frame to frame by their points, as `lp_ray.face.follow` follows one. In three cases that is not
enough, and then the identity network says who is who:

- Two faces are followed to one place: one hides the other. Both are looked for again; one is found, the other waits.
- A face is found that nobody is followed to. It is a person who was lost before, or somebody new.
- Two faces touch, or touched a moment ago. They may have been exchanged: whoever looks more like the other is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from lp_ray.base.arrays import Image
from lp_ray.face.continuity import apart, is_cut, scene
from lp_ray.face.follow import LEAP, MAX_GAP, RETURN, SAME
from lp_ray.face.identity import SAME_PERSON, IdentityNetwork, align, distance
from lp_ray.face.protocol import Face, Landmarker
from lp_ray.face.select import ordered

MAX_PEOPLE = 8
"""How many people of one clip are followed: a row between stages holds a crop of each for every frame."""

LOOK_EVERY = 25
"""In frames: so often all faces are looked for, to notice who comes into the picture. About a second."""

TOUCHING = 1.0
"""Two faces whose middles are nearer than this touch, in sides of their bounds."""

UNSURE = 10
"""In frames: so long after two faces touched, it is asked who is who."""

CLEARLY = 0.1
"""Two people were exchanged if the sum of their distances to each other's looks is so much less than to their own.
Measured on 120 frames of eight crossings, just before and after: more by 0.79 to 1.62 where they were not exchanged."""

SIGHTINGS = 8
"""A person's looks are the mean of so many embeddings at most."""

HERE = 0.5
"""A face so near the place where somebody was just lost is this person, even if it has turned away; in sides."""

JUST = 25
"""In frames: so long a place is remembered for that."""

Embed = Callable[[Image, Face], NDArray[np.float32]]
"""A face of a picture -> its embedding; of no length if the landmarker's points do not place it."""


@dataclass
class _Person:
    """Somebody in the clip: the last face seen, since how many frames it is lost, and what the face looks like."""

    last: Face
    looks: NDArray[np.float64]
    sightings: int = 1
    gap: int = 0
    unsure: int = 0
    """For so many frames more it is asked who this is."""

    def unlike(self, embedding: NDArray[np.float32]) -> float:
        """Return the distance of an embedding from this person's looks; 0 where nothing is known of either."""
        return float(distance(embedding, self.looks)) if len(embedding) and len(self.looks) else 0.0

    def remember(self, embedding: NDArray[np.float32]) -> None:
        """Take one more look into account."""
        self.sightings = min(self.sightings + 1, SIGHTINGS)
        self.looks = self.looks + (embedding - self.looks) / self.sightings


def make_embed() -> Embed:
    """Return what tells faces apart by the carried network. It knows faces of 478 points; of others it says nothing."""
    network = IdentityNetwork()

    def embed(image: Image, face: Face) -> NDArray[np.float32]:
        if len(face.points) != 478:
            return np.empty(0, np.float32)
        found: NDArray[np.float32] = network(align(image, face.points)[None])[0]
        return found

    return embed


@dataclass
class PeopleTracker:
    """Follows everybody in a clip. Keeps one picture: the last one.

    People are counted in the order in which they come into the picture, those of one frame from left to right.
    """

    landmarker: Landmarker
    embed: Embed = field(default_factory=make_embed)
    _people: list[_Person] = field(default_factory=list)
    _shown: Image | None = None
    _scene: NDArray[np.float32] | None = None
    """The scene of the last picture."""
    _frames: int = 0

    def find(self, frame: Image) -> list[Face | None]:
        """Return the face of each person in the next frame of the clip, None where it is not seen.

        The list grows when somebody comes into the picture.
        """
        due, now = self._frames % LOOK_EVERY == 0, scene(frame)
        same_scene = self._shown is not None and not is_cut(self._scene, now)
        found = self._followed(frame) if same_scene else {}
        awaited = any(i not in found and person.gap <= MAX_GAP for i, person in enumerate(self._people))
        if due or awaited or not same_scene:
            known = list(found.values())
            faces = [face for face in self.landmarker.detect(frame) if all(face.move_from(o) >= SAME for o in known)]
            found |= self._recognised(frame, ordered(faces, "left-right"), found, same_scene)
        found = self._sorted_out(frame, found)
        self._note(frame, found, due)
        self._shown, self._scene, self._frames = frame, now, self._frames + 1
        return [found.get(i) for i in range(len(self._people))]

    def _followed(self, frame: Image) -> dict[int, Face]:
        """Return the faces that are followed into the frame, each to a place of its own."""
        found = {}
        for i, person in enumerate(self._people):
            if not person.gap and (face := self._follow(frame, person.last)) is not None:
                found[i] = face
        one_place = [i for i in found if any(i != j and found[i].move_from(found[j]) < SAME for j in found)]
        return {i: face for i, face in found.items() if i not in one_place}

    def _follow(self, frame: Image, last: Face) -> Face | None:
        """Return a face at its new place, or None if it is lost or may be another face."""
        face = self.landmarker.follow(frame, last)
        if face is None or self._shown is None or face.move_from(last) < LEAP:
            return face
        back = self.landmarker.follow(self._shown, face)
        return face if back is not None and back.move_from(last) < RETURN else None

    def _recognised(
        self, frame: Image, faces: Sequence[Face], found: dict[int, Face], same_scene: bool
    ) -> dict[int, Face]:
        """Return who of those that are not followed is who of the faces. Faces that nobody has become new people; one
        that touches somebody's waits until it can be told who it is.
        """
        looks = [self.embed(frame, face) for face in faces]
        lost = [i for i in range(len(self._people)) if i not in found]
        costs = np.array(
            [
                [self._doubt(self._people[i], face, look, same_scene) for face, look in zip(faces, looks, strict=True)]
                for i in lost
            ]
        ).reshape(len(lost), len(faces))
        rows, columns = linear_sum_assignment(np.minimum(costs, 2 * SAME_PERSON))
        taken = {
            int(column): lost[row]
            for row, column in zip(rows, columns, strict=True)
            if costs[row, column] < SAME_PERSON
        }
        for column, (face, look) in enumerate(zip(faces, looks, strict=True)):
            half_hidden = any(apart(face, other) < TOUCHING for other in found.values())
            if column not in taken and not half_hidden and len(self._people) < MAX_PEOPLE:
                taken[column] = len(self._people)
                self._people.append(_Person(face, look.astype(np.float64)))
        return {person: faces[column] for column, person in taken.items()}

    def _doubt(self, person: _Person, face: Face, look: NDArray[np.float32], same_scene: bool) -> float:
        """Return how unlikely it is that a face is a person's: from SAME_PERSON on, it is another one's."""
        away = apart(face, person.last)
        unlike = person.unlike(look)
        if same_scene and person.gap < JUST and away < HERE:
            unlike = min(unlike, 0.9 * SAME_PERSON)
        # The place only decides between people who look alike.
        return unlike + 0.01 * min(away, 5.0)

    def _sorted_out(self, frame: Image, found: dict[int, Face]) -> dict[int, Face]:
        """Exchange the faces of two people who touch, or touched, where that fits their looks better."""
        for i in found:
            self._people[i].unsure -= self._people[i].unsure > 0
        for i, j in [(i, j) for i in found for j in found if i < j]:
            one, other = self._people[i], self._people[j]
            if apart(found[i], found[j]) < TOUCHING:
                one.unsure = other.unsure = UNSURE
            if not (one.unsure and other.unsure):
                continue
            mine, theirs = self.embed(frame, found[i]), self.embed(frame, found[j])
            as_they_are = one.unlike(mine) + other.unlike(theirs)
            exchanged = one.unlike(theirs) + other.unlike(mine)
            if exchanged + CLEARLY < as_they_are:
                found[i], found[j] = found[j], found[i]
        return found

    def _note(self, frame: Image, found: dict[int, Face], due: bool) -> None:
        for i, person in enumerate(self._people):
            face = found.get(i)
            if face is None:
                person.gap += 1
                person.unsure = UNSURE
                continue
            person.last, person.gap = face, 0
            if due and not person.unsure and len(person.looks):
                person.remember(self.embed(frame, face))


def track_people(frames: Iterable[Image], landmarker: Landmarker) -> Iterable[list[Face | None]]:
    """Yield the faces of each frame by person: see `PeopleTracker.find`."""
    tracker = PeopleTracker(landmarker)
    return map(tracker.find, frames)
