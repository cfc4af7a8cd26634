"""Choice of the reference frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.base.errors import RefusedError, UnsupportedError
from lp_ray.contract.driving_reference import parse_reference
from lp_ray.motion.keypoints import rotation
from lp_ray.motion.reference import find_reference, neutral_score, reference_index
from lp_ray.motion.template import TemplateHeader, TemplateReader, write_template

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


def test_what_spoils_a_reference_as_much_as_what() -> None:
    """Lips 0.1 apart, eyes 0.1 off their usual opening, a head turned by 15 degrees: one each, and they add up."""
    lip, eye = np.zeros((8, 1), np.float32), np.full((8, 2), 0.3, np.float32)
    lip[1], eye[2], eye[3], eye[4, 0] = 0.1, 0.2, 0.4, 0.2
    angle = np.array([0, 0, 0, 0, 0, 15, -30, 15], np.float32)
    lip[7], eye[7] = 0.2, 0.1
    frames = {"lip_ratio": lip, "eye_ratio": eye, "R": rotation(0 * angle, angle, 0 * angle)}
    np.testing.assert_allclose(neutral_score(frames), [0, 1, 1, 1, 0.5, 1, 2, 5], atol=1e-3)


def test_the_usual_opening_of_eyes_is_that_of_the_wider_half() -> None:
    """Shut in half of the frames, wide open in one: neither is what they are usually like."""
    eye = np.array([[0.0, 0.0]] * 4 + [[0.3, 0.3]] * 4 + [[0.6, 0.6]], np.float32)
    np.testing.assert_allclose(neutral_score({"eye_ratio": eye}), [3] * 4 + [0] * 4 + [3], atol=1e-5)


def test_expressions_are_judged_by_their_distance_from_the_median_where_there_are_no_ratios() -> None:
    """A root mean square of 0.01 counts as much as 15 degrees; beside ratios expressions do not count."""
    exp = np.zeros((5, 21, 3), np.float32)
    exp[0], exp[1, :, 0] = 0.01, 0.01 * np.sqrt(3)
    angle = np.array([0, 0, 15, 0, 0], np.float32)
    frames = {"exp": exp, "R": rotation(0 * angle, angle, 0 * angle)}
    np.testing.assert_allclose(neutral_score(frames), [1, 1, 1, 0, 0], atol=1e-3)
    still = {"lip_ratio": np.zeros((5, 1), np.float32), "eye_ratio": np.full((5, 2), 0.3, np.float32)}
    for name, rows in still.items():
        np.testing.assert_allclose(neutral_score({**frames, name: rows}), [0, 0, 1, 0, 0], atol=1e-3)


@pytest.mark.parametrize("rotation_name", ["R", "rotation"])
def test_the_reference_is_found_in_a_template_of_either_engine(rotation_name: str, tmp_path: Path) -> None:
    """Any array beside those judged by may be there; an index is looked up in the clip's own length."""
    clip = _clip()
    motion = {rotation_name if name == "R" else name: rows for name, rows in clip.items()}
    motion["t"] = np.zeros((12, 3), np.float32)
    path = tmp_path / "template.npz"
    write_template(path, TemplateHeader("any", "digest", "landmarks", 25, 1, 12), [motion])
    template = TemplateReader(path)
    assert [find_reference(template, text) for text in ("first", "neutral", "11")] == [0, CALM, 11]
    with pytest.raises(UnsupportedError, match="driving_reference=12: the driving has frames 0 to 11"):
        find_reference(template, "12")
    turned_alone = tmp_path / "turned.npz"
    write_template(turned_alone, TemplateHeader("any", "d", "l", 25, 1, 12), [{rotation_name: clip["R"][::-1].copy()}])
    assert find_reference(TemplateReader(turned_alone), "neutral") == 4, (
        "by the rotation alone: the first that faces on"
    )


def test_a_rotation_that_rounding_has_stretched_has_an_angle_all_the_same() -> None:
    """Its cosine is past 1, or past -1 for a head turned right round."""
    turned = np.diag([-1.0, 1.0, -1.0])
    R = np.stack([np.eye(3) * (1 + 1e-6), turned * (1 - 1e-6) - np.diag([0.0, 2e-6, 0.0])]).astype(np.float32)
    np.testing.assert_allclose(neutral_score({"R": R}), [0, 12], atol=1e-3)


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
