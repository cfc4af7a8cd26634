"""The table of controls, what is refused, and the page that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.contract.edits import BY_NAME, CONTROLS, check_preview, make_edits, markdown
from lp_ray.contract.options import option_names

PAGE = Path(__file__).parents[2] / "docs" / "editing.md"


def test_every_control_is_declared_once_and_whole() -> None:
    assert len(BY_NAME) == len(CONTROLS)
    assert set(BY_NAME) <= set(option_names()), "each is an option of a pair"
    for control in CONTROLS:
        assert control.low < control.high and control.text and control.unit
        assert control.neutral is None or control.low <= control.neutral <= control.high


def test_names_of_the_reference_work_too() -> None:
    assert make_edits({"mov_x": 0.1, "lip_variation_three": 50}, "row 1") == {"head_x": 0.1, "lips_open": 50}
    with pytest.raises(RefusedError, match="row 1: head_x and mov_x are one control"):
        make_edits({"head_x": 0.1, "mov_x": 0.1}, "row 1")


def test_what_is_neutral_is_left_out_and_order_is_the_tables() -> None:
    given = {"smile": 1, "head_z": 1, "wink": None, "head_yaw": -20, "blink": 0.0, "eye_ratio": 0}
    assert list(make_edits(given, "row 1").items()) == [("head_yaw", -20.0), ("smile", 1.0), ("eye_ratio", 0.0)]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"smlie": 1}, r"pairs row 7: no control 'smlie' \(did you mean 'smile'\?\)"),
        ({"smile": 1.31}, "pairs row 7: smile=1.31 must be between -0.3 and 1.3"),
        ({"head_z": 0}, "pairs row 7: head_z=0 must be between 0.9 and 1.2"),
        ({"smile": True}, "pairs row 7: smile=True must be a number"),
        ({"smile": "1"}, "pairs row 7: smile='1' must be a number"),
        ({"smile": float("nan")}, "pairs row 7: smile=nan must be a number"),
        ({"smile": float("inf")}, "pairs row 7: smile=inf must be a number"),
    ],
)
def test_bad_values_are_refused_by_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        make_edits(given, "pairs row 7")


def test_what_the_preview_engine_lacks_is_refused_by_name() -> None:
    check_preview({"head_yaw": 3, "smile": 1}, "row 2")
    with pytest.raises(RefusedError, match="row 2: engine=preview has no pout, eye_ratio"):
        check_preview({"smile": 1, "pout": 0.05, "eye_ratio": 0.2}, "row 2")


def test_the_page_shows_the_table() -> None:
    """`python -m scripts.doc_tables` writes it."""
    assert markdown() in PAGE.read_text(), "run: python -m scripts.doc_tables"
