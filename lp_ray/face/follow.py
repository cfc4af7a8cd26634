"""Which face of a frame is the one that was followed so far: the same person, not whoever stands nearest.

The face is detected once and followed from frame to frame. Three things end that, and each has its answer:

- The landmarker loses it: the frame is searched, and the faces found are matched with those of the last frame that
  showed it. So a bystander is never taken for a face that turned away or is hidden.
- The points leap: somebody may have stepped in front. Followed back into the last frame, they must land where the
  face was then; if they land on somebody else, the face is lost.
- The scene changes: the rule chooses, as at the beginning of the clip.
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
"""Frames without any face after which a lost one is forgotten: about ten seconds."""

MAX_HIDDEN = 25
"""Frames that show nobody but bystanders after which a lost face is forgotten: about a second."""

LEAP = 0.05
"""Mean move of the points between two frames, over the face's longer side, from which it is checked."""

RETURN = 0.04
"""The same measure under which points that were followed back are where they came from.

Measured: up to 0.014 where the face is the same, 0.06 and more where somebody has stepped in front of it.
"""

SAME = 0.1
"""The same measure under which two looks at one frame are at one face."""


class FaceTracker:
    """One face from frame to frame of one clip. Keeps one picture: the last that showed it.

    While the face is missing, the nearest one is taken for it, unless it is a bystander or may well be one; where
    only strangers are far off, the rule chooses among them. A face that is forgotten is chosen anew, by the rule among
    all, or by the user's box.
    """

    def __init__(self, landmarker: Landmarker, rule: str | int, box: Box | None, max_gap: int = MAX_GAP) -> None:
        """`rule` is as in `select_face`, `box` in pixels of the frames."""
        self._landmarker = landmarker
        self._rule, self._box, self._max_gap = rule, box, max_gap
        self._last: Face | None = None
        self._shown: Image | None = None
        """The frame that `last` is of."""
        self._bystanders: list[Face] | None = None
        """The other faces, since the face was lost and a frame showed any; None while it is followed."""
        self._scene: NDArray[np.float32] | None = None
        """The scene of the last frame since the face was lost."""
        self._impostor: Face | None = None
        """The bystander in the present frame that following ended on."""
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
        """Return the face where it went since the last frame, or None when it is lost or may be another."""
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
        """Return the face among all that the frame shows, or None when it is not there."""
        last = self._remembered(frame)
        if last is None and self._box is not None:
            return self._landmarker.detect_in_box(frame, self._box)
        faces = self._landmarker.detect(frame)
        if not faces:
            return None
        return self._choose(faces) if last is None else self._recognise(frame, last, faces)

    def _recognise(self, frame: Image, last: Face, faces: list[Face]) -> Face | None:
        """Return which of the faces is the one that was lost, or None when all of them are bystanders."""
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
        """Return the face that is looked for, or None when the rule decides: nothing is known, or no longer."""
        if self._last is None or self._shown is None:
            return None
        before = self._scene if self._gap else scene(self._shown)
        now = scene(frame)
        self._scene = before if now is None else now
        if self._gap > self._max_gap or self._hidden >= MAX_HIDDEN or is_cut(before, now):
            self._last = self._shown = self._bystanders = self._scene = None
        return self._last

    def _bystanders_in(self, frame: Image) -> list[Face]:
        """Return the other faces where they are in this frame, or where they were last.

        At first those beside the face in the last frame with it. Only those near it are followed: the place of others
        is near enough.
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
        except NoFaceError:  # an index past this frame's faces: another frame may show more
            return None
