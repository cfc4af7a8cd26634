"""Choice of the reference frame."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.base.errors import RefusedError, UnsupportedError
from lp_ray.contract.driving_reference import parse_reference
from lp_ray.motion.keypoints import rotation
from lp_ray.motion.reference import neutral_score, reference_index

CALM = 7


def _clip() -> dict[str, NDArray[np.float32]]:
    """12 frames: mouth open at first, a blink at 3, head turned after CALM; CALM itself is neutral."""
    lip = np.full((12, 1), 0.02, np.float32)
    lip[:3] = [[0.5], [0.3], [0.1]]
    eye = np.full((12, 2), 0.35, np.float32)
    eye[3] = 0.02
    yaw = np.array([0, 0, 0, 0, 8, 6, 4, 0, 10, 20, 30, 40], np.float32)
    return {"lip_ratio": lip, "eye_ratio": eye, "R": rotation(0 * yaw, yaw, 0 * yaw)}


def test_neutral_avoids_open_mouth_blink_and_turned_head() -> None:
    assert reference_index("neutral", _clip()) == CALM


@pytest.mark.parametrize("name", ["lip_ratio", "eye_ratio", "R"])
def test_each_measure_counts(name: str) -> None:
    """With one array alone, its worst frame scores worse than the neutral one."""
    clip = _clip()
    worst = {"lip_ratio": 0, "eye_ratio": 3, "R": 11}[name]
    score = neutral_score({name: clip[name]})
    assert score[worst] == score.max() > score[CALM]


def test_a_template_without_ratios_uses_its_median_expression() -> None:
    exp = np.zeros((9, 21, 3), np.float32)
    exp[:4, 19] = 0.1
    assert reference_index("neutral", {"exp": exp}) == 4


def test_first_and_index() -> None:
    assert reference_index("first", _clip()) == 0
    assert reference_index(11, _clip()) == 11
    with pytest.raises(UnsupportedError, match="frames 0 to 11"):
        reference_index(12, _clip())
    with pytest.raises(UnsupportedError, match="frames 0 to 11"):
        reference_index(-1, _clip())


def test_nothing_to_judge_by_is_said() -> None:
    with pytest.raises(UnsupportedError, match="driving_reference=neutral needs"):
        reference_index("neutral", {"t": np.zeros((3, 3), np.float32)})


def test_parsing() -> None:
    assert [parse_reference(text) for text in ("first", "neutral", "17")] == ["first", "neutral", 17]
    for text in ("last", "-1", "1.5", "", "9" * 12, "٣"):
        with pytest.raises(RefusedError, match="driving_reference="):
            parse_reference(text)
