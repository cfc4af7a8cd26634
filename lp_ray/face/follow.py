"""Follow one face through a clip: always the same person, not whoever is nearest.

The face is detected once and then followed from frame to frame. Following ends in three cases:

- The landmarker loses the face. Then all faces of the frame are detected and matched with those of the last frame that
  showed it. So a bystander is never taken for a face that turned away or is hidden.
- The points jump, perhaps because somebody stepped in front. Then they are followed back into the last frame. They must
  land where the face was; if they land on somebody else, the face is lost.
- The scene changes. Then the rule chooses a face, as at the beginning of the clip.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Box, Image
from lp_ray.base.errors import NoFaceError
from lp_ray.face.continuity import clearly, is_cut, match, near, scene
from lp_ray.face.protocol import Face, Landmarker
from lp_ray.face.select import select_face

MAX_GAP = 250
"""After so many frames without any face, a lost face is forgotten: about ten seconds."""

MAX_HIDDEN = 25
"""After so many frames that show only bystanders, a lost face is forgotten: about a second."""

LEAP = 0.05
"""If the points move at least this far between two frames, on average, the move is checked; in sides of the face."""

RETURN = 0.04
"""If points that were followed back move less than this (same measure), they are where they came from.

Measured: up to 0.014 if the face is the same, 0.06 and more if somebody stepped in front of it.
"""

SAME = 0.1
"""If two sets of points in one frame differ by less than this (same measure), they are the same face."""


class FaceTracker:
    """Follows one face through a clip. Keeps one picture: the last one that showed the face.

    While the face is missing, the nearest face is taken for it, unless that is, or may be, a bystander. If only unknown
    faces far away are there, the rule chooses among them. After a face is forgotten, a new one is chosen: by the user's
    box if there is one, else by the rule among all faces.
    """

    def __init__(self, landmarker: Landmarker, rule: str | int, box: Box | None, max_gap: int = MAX_GAP) -> None:
        """`rule` is as in `select_face`; `box` is in pixels of the frames."""
        self._landmarker = landmarker
        self._rule, self._box, self._max_gap = rule, box, max_gap
        self._last: Face | None = None
        self._shown: Image | None = None
        """The frame that `_last` belongs to."""
        self._bystanders: list[Face] | None = None
        """The other faces in the frame, known since the face was lost; None while it is followed."""
        self._scene: NDArray[np.float32] | None = None
        """The scene of the last frame since the face was lost."""
        self._impostor: Face | None = None
        """The bystander on which following ended in the present frame."""
        self._gap = self._hidden = 0

    def find(self, frame: Image) -> Face | None:
        """Return the face in the next frame of the clip, or None."""
        self._impostor = None
        face = self._follow(frame)
        if face is None:
            face = self._search(frame)
        if face is None:
            self._gap += 1
            return None
        self._last, self._shown, self._bystanders = face, frame, None
        self._gap = self._hidden = 0
        return face

    def _follow(self, frame: Image) -> Face | None:
        """Return the face at its new place, or None if it is lost or may be another face."""
        if self._last is None or self._shown is None or self._gap:
            return None
        face = self._landmarker.follow(frame, self._last)
        if face is None or face.move_from(self._last) < LEAP:
            return face
        if is_cut(scene(self._shown), scene(frame)):
            return None
        back = self._landmarker.follow(self._shown, face)
        if back is None or back.move_from(self._last) < RETURN:
            return back and face
        self._impostor = face if back.move_from(self._last) >= SAME else None
        return None

    def _search(self, frame: Image) -> Face | None:
        """Return the face among all faces of the frame, or None if it is not there."""
        last = self._remembered(frame)
        if last is None and self._box is not None:
            return self._landmarker.detect_in_box(frame, self._box)
        faces = self._landmarker.detect(frame)
        if not faces:
            return None
        return self._choose(faces) if last is None else self._recognise(frame, last, faces)

    def _recognise(self, frame: Image, last: Face, faces: list[Face]) -> Face | None:
        """Return which of the faces is the lost one, or None if all of them are bystanders."""
        bystanders = self._bystanders_in(frame)
        seen = [other for other in bystanders if any(face.move_from(other) < SAME for face in faces)]
        unseen = [other for other in bystanders if all(face.move_from(other) >= SAME for face in faces)]
        faces = [face for face in faces if all(face.move_from(other) >= SAME for other in bystanders)]
        places = match([last, *unseen], faces)
        if 0 in places and clearly(faces[places[0]], last, unseen):
            return faces[places[0]]
        strangers = [face for i, face in enumerate(faces) if i not in places.values()]
        if strangers:
            return self._choose(strangers)
        self._bystanders = seen + [faces[places[i]] if i in places else other for i, other in enumerate(unseen, 1)]
        self._hidden += 1
        return None

    def _remembered(self, frame: Image) -> Face | None:
        """Return the lost face, or None if the rule must choose because no face is known, or it was forgotten."""
        if self._last is None or self._shown is None:
            return None
        before = self._scene if self._gap else scene(self._shown)
        now = scene(frame)
        self._scene = before if now is None else now
        if self._gap > self._max_gap or self._hidden >= MAX_HIDDEN or is_cut(before, now):
            self._last = self._shown = self._bystanders = self._scene = None
        return self._last

    def _bystanders_in(self, frame: Image) -> list[Face]:
        """Return the other faces at their places in this frame, or at their last known places.

        At first these are the faces beside the lost one in the last frame that showed it. Only those near it are
        followed; for the others, the last place is good enough.
        """
        last, impostor = self._last, self._impostor
        if last is None or self._shown is None:
            return []
        known = self._bystanders
        if known is None:
            known = [face for face in self._landmarker.detect(self._shown) if face.move_from(last) >= SAME]
        moved = [(near(face, last) and self._landmarker.follow(frame, face)) or face for face in known]
        if impostor is not None:
            moved = [face for face in moved if face.move_from(impostor) >= SAME] + [impostor]
        return moved

    def _choose(self, faces: list[Face]) -> Face | None:
        try:
            return select_face(faces, self._rule)
        except NoFaceError:  # the index is too high for this frame; another frame may show more faces
            return None
