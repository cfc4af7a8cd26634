"""Landmarks of everybody in a clip, on disk: who comes late, who is missing, who is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lp_ray.base.errors import NoFaceError
from lp_ray.face.protocol import Face
from lp_ray.stages.tracks import Tracks


def face(number: float) -> Face:
    return Face(np.full((3, 2), number), 1.0)


def test_who_comes_late_was_there_and_who_is_missing_is_where_it_was(tmp_path: Path) -> None:
    """As landmarks; `present` tells where that is so. A frame counts as one without a face if it shows nobody."""
    frames = [[], [face(1)], [face(2), None], [face(3), face(13)], [None, None], [None, face(15)]]
    frames[2] = [face(2)]
    tracks = Tracks.of_all(frames, tmp_path)
    one, other = (points[0:6][:, 0, 0].tolist() for points in tracks.faces)
    assert one == [1, 1, 2, 3, 3, 3] and other == [13, 13, 13, 13, 13, 15]
    assert tracks.present.tolist() == [[False, True, True, True, False, False], [False] * 3 + [True, False, True]]
    assert (tracks.missing, tracks.several, tracks.n_frames) == ((0, 4), True, 6)
    assert [piece[:, 0, 0].tolist() for piece in tracks.slice(2, 4)] == [[2, 3], [13, 13]]


def test_a_passer_by_is_left_out_but_not_the_only_one(tmp_path: Path) -> None:
    passing = [[face(1), face(2)], *[[face(1), None]] * 10]
    assert len(Tracks.of_all(passing, tmp_path).faces) == 1
    alone = [[face(1)], *[[None]] * 20]
    assert Tracks.of_all(alone, tmp_path).missing == tuple(range(1, 21))
    with pytest.raises(NoFaceError, match="no face in any of the clip's frames"):
        Tracks.of_all([[], []], tmp_path)
