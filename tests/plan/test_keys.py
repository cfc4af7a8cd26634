"""Keys change with everything that changes a result, and with nothing else."""

from __future__ import annotations

import json
import typing
from dataclasses import asdict, field, fields, make_dataclass, replace
from typing import Any, Literal

import pytest

from lp_ray.contract.edits import CONTROLS
from lp_ray.contract.options import PairOptions
from lp_ray.face.framing import DrivingFraming, SourceFraming
from lp_ray.plan import keys

SOURCE = {"uri": "file:///a.jpg", "version": "1", "face": "0", "box": None, "subject": "human"}
PINNED = (
    "67cedd3349c097aa798dc16f4f3dfec8",
    "4f1e9254b03f228b354e771cf364e76c",
    "3aa2a01327e25069a43e056c7b7a8974",
    "5eecd2a529934d745a4ebc13d9fed972",
)
"""Keys of a source, a driving, their pair and the driving's template in epoch 3."""

DRIVING = {"uri": "file:///a.mp4", "version": "1", "face": "0", "start_s": None, "end_s": None}


def test_every_field_of_an_input_is_in_its_key() -> None:
    changes = {"uri": "file:///b", "version": "2", "face": "1", "box": [0, 0, 1, 1], "subject": "animal"}
    made = {keys.source_key(**SOURCE), *(keys.source_key(**(SOURCE | {k: v})) for k, v in changes.items())}
    assert len(made) == 1 + len(changes)
    changes = {"uri": "file:///b", "version": "2", "face": "1", "start_s": 1.0, "end_s": 1.0}
    made = {keys.driving_key(**DRIVING), *(keys.driving_key(**(DRIVING | {k: v})) for k, v in changes.items())}
    assert len(made) == 1 + len(changes)
    first, second = (keys.driving_key(**DRIVING, curves=version) for version in (1, 2))
    assert first == keys.driving_key(**DRIVING) != second, "the first version of performances was in no key"


def _another(kind: Any, value: Any) -> Any:
    """Return a value of the option's kind that is not its default."""
    if typing.get_origin(kind) is Literal:
        return next(choice for choice in typing.get_args(kind) if choice != value)
    if kind is bool:
        return not value
    return "neutral" if kind is str else value + 1


def test_every_option_is_in_the_pairs_key() -> None:
    options = PairOptions()
    hints = typing.get_type_hints(PairOptions)
    others = [replace(options, **{f.name: _another(hints[f.name], getattr(options, f.name))}) for f in fields(options)]
    digests = [keys.options_digest(made) for made in (options, *others)]
    assert len({keys.pair_key("s", "d", digest, "w") for digest in digests}) == 1 + len(fields(options))


def test_the_order_of_settings_is_in_no_key() -> None:
    """Two command lines may name them in another order."""
    one, other = {"a": 1, "b": {"x": 1, "y": 2}}, {"b": {"y": 2, "x": 1}, "a": 1}
    assert keys.work_digest("e", "l", one) == keys.work_digest("e", "l", other)
    framing = DrivingFraming()
    assert keys.template_key("c", "driving", framing, "e", "l", one) == keys.template_key(
        "c", "driving", framing, "e", "l", other
    )


def test_keys_of_names_beyond_ascii_are_pinned() -> None:
    """And of names that are no valid Unicode, which file systems hold."""
    assert keys.source_key(**(SOURCE | {"uri": "file:///照片.jpg"})) == "0a6d3f0075e133f4b9c213bfb2972b24"
    assert len(keys.source_key(**(SOURCE | {"uri": "file:///\udcff.jpg"}))) == 32


def test_options_are_told_in_the_order_of_their_names() -> None:
    """So that texts of two versions that know other options can be compared."""
    told = json.loads(keys.options_json(PairOptions(crf=30)))
    assert list(told) == sorted(told) and told == asdict(PairOptions(crf=30))


def test_parts_do_not_run_into_each_other() -> None:
    assert keys.pair_key("ab", "c", "o", "w") != keys.pair_key("a", "bc", "o", "w")


def test_what_all_pairs_share_is_in_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine with its weights, the detector with its model, settings of the tracking, and this code's version."""
    shared = ("engine", "detector", {})
    others = [("e", *shared[1:]), (shared[0], "d", shared[2]), (*shared[:2], {"max_missing_fraction": 0.3})]
    assert len({keys.work_digest(*made) for made in (shared, *others)}) == 4
    framing = DrivingFraming()
    assert len({keys.template_key("clip", "driving", framing, *made) for made in (shared, *others)}) == 4
    one = keys.template_key("clip", "driving", framing, *shared)
    assert keys.template_key("another", "driving", framing, *shared) != one
    assert keys.template_key("clip", "source", framing, *shared) != one
    assert keys.template_key("clip", "driving", DrivingFraming(scale=3.0), *shared) != one
    before = keys.work_digest(*shared)
    monkeypatch.setattr(keys, "OUTPUT_VERSION", keys.OUTPUT_VERSION + 1)
    assert keys.work_digest(*shared) != before


def _with_one_more(kind: type, default: Any) -> Any:
    """Return a value of a dataclass that has a field more, at its default."""
    return make_dataclass(
        f"Newer{kind.__name__}", [("brand_new", type(default), default)], bases=(kind,), frozen=True
    )()


def test_an_option_or_a_field_of_a_framing_that_is_added_changes_no_key() -> None:
    """What is stored lasts: a new option costs nobody their results."""
    assert keys.options_digest(_with_one_more(PairOptions, 7)) == keys.options_digest(PairOptions())
    for kind in (DrivingFraming, SourceFraming):
        newer = keys.template_key("clip", "driving", _with_one_more(kind, "x"), "e", "d", {})
        assert newer == keys.template_key("clip", "driving", kind(), "e", "d", {})


def test_of_nested_values_only_what_differs_counts() -> None:
    framing = SourceFraming(scale=2.5)
    assert keys.changed(framing) == {"scale": 2.5}
    assert keys.changed(
        make_dataclass("Outer", [("inner", SourceFraming, field(default=SourceFraming()))])(framing)
    ) == {"inner": {"scale": 2.5}}


def test_defaults_are_pinned() -> None:
    """A key holds what differs from the defaults: a default that changes must raise `keys.EPOCH` with this table."""
    assert keys.EPOCH == 3
    assert asdict(DrivingFraming()) == {"track": True, "crop_square": False, "scale": 2.2, "vx": 0.0, "vy": -0.1}
    assert asdict(SourceFraming()) == {
        **{"max_dim": 1280, "division": 2, "crop": True, "rotate": True, "scale": 2.3, "vx": 0.0, "vy": -0.125},
        "repeat_border": False,
    }
    assert asdict(PairOptions()) == {
        **{"paste_back": True, "flag_do_crop": True, "flag_do_rot": True, "source_max_dim": 1280, "source_division": 2},
        **{"crop_scale": 2.3, "crop_vx": 0.0, "crop_vy": -0.125},
        **{
            "flag_crop_driving_video": False,
            "driving_crop_scale": 2.2,
            "driving_crop_vx": 0.0,
            "driving_crop_vy": -0.1,
        },
        **{"driving_multiplier": 1.0, "animation_region": "all", "driving_option": "expression-friendly"},
        **{"driving_smooth_observation_variance": 3e-7, "flag_relative_motion": True, "flag_stitching": True},
        **{"flag_eye_retargeting": False, "flag_lip_retargeting": False, "flag_source_video_eye_retargeting": False},
        **{
            "flag_normalize_lip": False,
            "driving_reference": "first",
            "driving_length": "min",
            "audio": "driving",
            "audio_track": -1,
        },
        **{"driving_smooth": 0.0, "weight_pose": 1.0, "weight_eyes": 1.0, "weight_lip": 1.0, "weight_exp": 1.0},
        **{"max_pitch": 180.0, "max_yaw": 180.0, "max_roll": 180.0, "lip_smooth": 3e-6, "silence": False},
        **{"edit": "", **{c.name: -1.0 if c.neutral is None else float(c.neutral) for c in CONTROLS}},
        **{"source_start_s": 0.0, "source_end_s": 0.0},
        **{"format": "auto", "alpha": "white", "comparison": False, "encoder": "x264", "crf": 18, "preset": "veryfast"},
    }


def test_keys_are_pinned() -> None:
    """The same inputs have the same keys in every version of one epoch, on every machine."""
    source = keys.source_key(**SOURCE)
    driving = keys.driving_key(**DRIVING)
    work = keys.work_digest("engine", "detector", {})
    pair = keys.pair_key(source, driving, keys.options_digest(PairOptions()), work)
    template = keys.template_key(driving, "driving", DrivingFraming(), "engine", "detector", {})
    assert (source, driving, pair, template) == PINNED
