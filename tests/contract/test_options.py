"""Options: defaults in one place, checks that name the option."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.contract.option_values import make_options, override
from lp_ray.contract.options import PairOptions, option_names


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"crf": 52}, "crf=52 must be between 0 and 51"),
        ({"crf": 1.5}, "crf=1.5 must be a whole number"),
        ({"crf": float("nan")}, "crf=nan must be a whole number"),
        ({"crf": True}, "crf=True must be int"),
        ({"crf": "18"}, "crf='18' must be int"),
        ({"driving_multiplier": float("nan")}, "driving_multiplier=nan must be between"),
        ({"preset": "fastest"}, "preset='fastest' must be one of"),
        ({"paste_back": "no"}, "paste_back='no' must be bool"),
        ({"pasteback": True}, "did you mean 'paste_back'"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, object], words: str) -> None:
    with pytest.raises(RefusedError, match=r"^here: ") as refusal:
        make_options(values, "here")
    assert words in str(refusal.value)


def test_a_whole_number_may_come_as_a_float() -> None:
    assert make_options({"crf": 20.0, "driving_multiplier": 1}, "here") == PairOptions(crf=20, driving_multiplier=1.0)
    assert isinstance(make_options({"driving_multiplier": 1}, "here").driving_multiplier, float)


def test_the_crops_are_the_references() -> None:
    """Numbers of the reference's command line: changed everywhere at once, every other test would still pass."""
    options = PairOptions()
    assert (options.crop_scale, options.crop_vx, options.crop_vy) == (2.3, 0.0, -0.125)
    assert (options.driving_crop_scale, options.driving_crop_vx, options.driving_crop_vy) == (2.2, 0.0, -0.1)


def test_one_meaning_is_written_in_one_way() -> None:
    """Else the same work would have two keys."""
    assert make_options({"driving_reference": "0"}, "here") == PairOptions()
    assert make_options({"driving_reference": "007"}, "here") == PairOptions(driving_reference="7")
    assert str(make_options({"crop_vx": -0.0}, "here").crop_vx) == "0.0"


def test_override_keeps_what_is_not_given() -> None:
    base = PairOptions(crf=22)
    assert override(base, {"crf": None, "audio": "none"}, "row 1") == PairOptions(crf=22, audio="none")
    assert set(option_names()) == set(asdict(base))
