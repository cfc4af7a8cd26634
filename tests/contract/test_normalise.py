"""Options without effect are taken out and said: each declared condition, what it needs, and docs/options.md."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from lp_ray.contract.edits import CONTROLS
from lp_ray.contract.effects import Idle, PairFacts
from lp_ray.contract.normalise import ineffective, normalise_options
from lp_ray.contract.option_values import make_options
from lp_ray.contract.options import PairOptions, option_names

DOCS = Path(__file__).parents[2] / "docs" / "options.md"

OTHER: dict[str, Any] = {
    "paste_back": False,
    "flag_do_crop": False,
    "flag_do_rot": False,
    "source_max_dim": 640,
    "source_division": 8,
    "crop_scale": 2.5,
    "crop_vx": 0.1,
    "crop_vy": -0.2,
    "flag_crop_driving_video": True,
    "driving_crop_scale": 2.0,
    "driving_crop_vx": 0.1,
    "driving_crop_vy": -0.2,
    "driving_multiplier": 0.5,
    "animation_region": "lip",
    "driving_option": "pose-friendly",
    "driving_smooth_observation_variance": 1e-5,
    "flag_relative_motion": False,
    "flag_stitching": False,
    "flag_eye_retargeting": True,
    "flag_lip_retargeting": True,
    "flag_source_video_eye_retargeting": True,
    "flag_normalize_lip": True,
    "driving_reference": "3",
    "driving_length": "loop",
    "audio": "none",
    "audio_track": 1,
    "format": "gif",
    "alpha": "keep",
    "comparison": True,
    "encoder": "nvenc",
    "crf": 30,
    "preset": "medium",
    "driving_smooth": 1e-4,
    **dict.fromkeys(("weight_pose", "weight_eyes", "weight_lip", "weight_exp"), 0.5),
    **dict.fromkeys(("max_pitch", "max_yaw", "max_roll"), 12.0),
    "lip_smooth": 1e-3,
    "silence": True,
    "source_start_s": 1.5,
    "source_end_s": 2.5,
    "edit": "smile",
    **{control.name: (control.high + control.low) / 3 + 0.1 for control in CONTROLS},
}
"""A value other than the default for every option."""

PICTURE, VIDEO = {"source_video": False}, {"source_video": True}
TEMPLATE, STILL, SQUARE = {"driving_template": True}, {"driving_still": True}, {"driving_square": True}
ANIMAL = {"animal": True}
WHOLE = {"flag_do_crop": False, "paste_back": False}
DRIVING_CROP = ("driving_crop_scale", "driving_crop_vx", "driving_crop_vy")
PERFORMANCE = {"driving_template": True, "driving_performance": True}
WEIGHTS = ("weight_pose", "weight_eyes", "weight_lip", "weight_exp")
LIMITS = ("max_pitch", "max_yaw", "max_roll")
SMOOTHED = "driving_smooth_observation_variance"
MOTION = ("animation_region", "driving_option", SMOOTHED, "driving_reference", *WEIGHTS, *LIMITS)
RETARGETING = ("flag_eye_retargeting", "flag_lip_retargeting")
CORRECTIONS = ("flag_source_video_eye_retargeting", "flag_normalize_lip")
CODED = ("encoder", "crf", "preset")

# Option, the facts and the other options that take its effect; the values it goes for where it is not all of them.
Row = tuple[str, dict[str, bool], dict[str, Any], tuple[Any, ...]]
WITHOUT_EFFECT: list[Row] = [
    *((name, {}, WHOLE, ()) for name in ("flag_do_rot", "crop_scale", "crop_vx", "crop_vy")),
    ("flag_do_rot", {"source_box": True, **ANIMAL}, {}, ()),
    *((name, TEMPLATE, {}, ()) for name in ("flag_crop_driving_video", *DRIVING_CROP)),
    *((name, SQUARE, {}, ()) for name in DRIVING_CROP),
    *((name, ANIMAL, {}, ()) for name in DRIVING_CROP),
    ("flag_crop_driving_video", {"animal": False, "driving_square": False}, {}, ()),
    *((name, {}, {"flag_eye_retargeting": True}, ()) for name in MOTION),
    *((name, {}, {"flag_lip_retargeting": True}, ()) for name in MOTION),
    *((name, {}, {"driving_multiplier": 0.0}, ()) for name in MOTION),
    *((name, {}, {"driving_multiplier": 0.0}, ()) for name in ("flag_relative_motion", "flag_stitching")),
    *((name, {}, {"driving_multiplier": 0.0}, ()) for name in ("flag_eye_retargeting", "flag_lip_retargeting")),
    *(
        (name, {}, {"driving_multiplier": 0.0}, ())
        for name in ("flag_source_video_eye_retargeting", "flag_normalize_lip")
    ),
    *((control.name, {}, {"driving_multiplier": 0.0}, ()) for control in CONTROLS),
    *((name, PERFORMANCE, {}, ()) for name in (*MOTION, *RETARGETING, *CORRECTIONS, "flag_relative_motion")),
    ("driving_smooth", PERFORMANCE, {}, ()),
    ("driving_smooth", VIDEO, {}, ()),
    ("driving_smooth", STILL, {}, ()),
    ("driving_smooth", {}, {"driving_multiplier": 0.0}, ()),
    *((name, {}, {"flag_relative_motion": False}, ()) for name in ("driving_option", "driving_reference")),
    ("flag_normalize_lip", {}, {"flag_relative_motion": False}, ()),
    *(
        (name, {}, {retargeting: True}, ())
        for name in ("flag_source_video_eye_retargeting", "flag_normalize_lip")
        for retargeting in ("flag_eye_retargeting", "flag_lip_retargeting")
    ),
    ("driving_option", VIDEO, {}, ()),
    ("driving_option", STILL, {}, ()),
    ("driving_smooth_observation_variance", PICTURE, {}, ()),
    ("driving_smooth_observation_variance", STILL, {}, ()),
    ("flag_source_video_eye_retargeting", PICTURE, {}, ()),
    ("driving_reference", STILL, {}, ("neutral",)),
    ("driving_length", PICTURE, {}, ()),
    *((name, PICTURE, {}, ()) for name in ("lip_smooth", "silence")),
    *((name, {}, {"driving_multiplier": 0.0}, ()) for name in ("lip_smooth", "silence")),
    ("silence", {"driving_performance": False}, {}, ()),
    ("lip_smooth", {"driving_performance": False}, {"lip_ratio": -1.0}, ()),
    ("driving_length", STILL, {}, ()),
    ("audio", PICTURE, {}, ("source",)),
    ("audio", TEMPLATE, {}, ("source",)),
    *(("audio", VIDEO, {name: 1.0}, ("source",)) for name in ("source_start_s", "source_end_s")),
    *((name, PICTURE, {}, ()) for name in ("source_start_s", "source_end_s")),
    ("audio", PICTURE | TEMPLATE, {}, ("none",)),
    ("audio", {}, {"format": "gif"}, ()),
    ("audio", {}, {"format": "frames"}, ()),
    *((name, PICTURE | STILL, {}, ()) for name in ("audio", "audio_track", *CODED)),
    ("audio_track", {}, {"format": "gif"}, ()),
    ("audio_track", {}, {"format": "frames"}, ()),
    ("audio_track", {}, {"audio": "none"}, ()),
    ("audio_track", PICTURE | TEMPLATE, {}, ()),
    *((name, {}, {"format": "frames"}, ()) for name in CODED),
    *(("encoder", {}, {"format": name}, ()) for name in ("webm", "mov")),
    ("encoder", {}, {"alpha": "keep"}, ()),
    *((name, {}, {"format": "mov"}, ()) for name in ("crf", "preset")),
]

STILL_AT_WORK: list[Row] = [
    ("crop_scale", {"animal": True, "source_box": True}, {}, ()),
    ("flag_do_rot", {"source_box": True, "animal": False}, {}, ()),
    *((name, ANIMAL | SQUARE, {"flag_crop_driving_video": True}, ()) for name in DRIVING_CROP),
    *((name, {"driving_square": False, "animal": False}, {}, ()) for name in DRIVING_CROP),
    ("flag_crop_driving_video", SQUARE | {"animal": False}, {}, ()),
    ("flag_crop_driving_video", {"driving_square": False, "animal": True}, {}, ()),
    *(
        (name, VIDEO, {"flag_relative_motion": False, "flag_eye_retargeting": True}, ())
        for name in ("animation_region",)
    ),
    ("flag_eye_retargeting", {}, {"flag_lip_retargeting": True}, ()),
    ("driving_length", VIDEO, {}, ()),
    ("audio", VIDEO, {}, ("source",)),
    ("audio", VIDEO, {"source_start_s": 1.0}, ("none",)),
    *((name, VIDEO, {}, ()) for name in ("source_start_s", "source_end_s")),
    ("audio", VIDEO | TEMPLATE, {}, ("none",)),
    ("audio", PICTURE, {}, ("none",)),
    ("audio", {}, {"format": "gif", "comparison": True}, ()),
    ("audio_track", {}, {"format": "gif", "comparison": True}, ()),
    ("audio_track", VIDEO | TEMPLATE, {"audio": "source"}, ()),
    ("audio_track", PICTURE, {}, ()),
    ("audio", PICTURE | STILL, {"format": "mp4"}, ("none",)),
    ("driving_reference", STILL, {}, ("3",)),
    *((name, {}, {"format": "frames", "comparison": True}, ()) for name in CODED),
    *((name, {}, {"format": "gif"}, ()) for name in CODED),
    *((name, {}, {"format": "mov", "comparison": True}, ()) for name in CODED),
    *((name, {}, {"format": "webm"}, ()) for name in ("crf", "preset")),
    ("encoder", {}, {"alpha": "keep", "comparison": True}, ()),
    *((name, PICTURE | STILL, {"format": "mp4"}, ()) for name in CODED),
    *((name, {}, {}, ()) for name in OTHER),
]
"""The same rows, short of what would take the option's effect."""


def cases(rows: list[Row]) -> list[Any]:
    """Each row once for every value that it goes for."""
    return [
        pytest.param(name, value, PairFacts(**facts), others, id=f"{name}={value}-{'+'.join([*facts, *others])}")
        for name, facts, others, values in rows
        for value in values or (OTHER[name],)
    ]


def declared(name: str) -> tuple[Idle, ...]:
    found: tuple[Idle, ...] = {option.name: option.metadata["idle"] for option in fields(PairOptions)}[name]
    return found


@pytest.mark.parametrize(("name", "value", "facts", "others"), cases(WITHOUT_EFFECT))
def test_an_option_without_effect_is_reset_and_said(
    name: str, value: Any, facts: PairFacts, others: dict[str, Any]
) -> None:
    plain = PairOptions(**others)
    options = replace(plain, **{name: value})
    assert normalise_options(options, facts) == normalise_options(plain, facts)
    said = [line for line in ineffective(options, facts) if line.startswith(f"{name}=")]
    assert len(said) == 1 and said[0].startswith(f"{name}={value}: ")
    assert not [line for line in ineffective(plain, facts) if line.startswith(f"{name}=")], "a default needs no word"


@pytest.mark.parametrize(("name", "value", "facts", "others"), cases(STILL_AT_WORK))
def test_an_option_with_an_effect_stays(name: str, value: Any, facts: PairFacts, others: dict[str, Any]) -> None:
    options = PairOptions(**{**others, name: value})
    assert getattr(normalise_options(options, facts), name) == value
    assert not [line for line in ineffective(options, facts) if line.startswith(f"{name}=")]


def test_the_table_has_a_row_for_every_declared_condition() -> None:
    unmet = {(option, id(idle)) for option in option_names() for idle in declared(option)}
    for param in cases(WITHOUT_EFFECT):
        name, value, facts, others = param.values
        options = PairOptions(**{**others, name: value})
        first = next(idle for idle in declared(name) if idle.holds(value, options, facts))
        unmet.discard((name, id(first)))
    assert not unmet, sorted(name for name, _ in unmet)


def test_what_is_not_known_takes_nothing_away() -> None:
    """With no fact known, only what the options themselves say counts."""
    for name, value in OTHER.items():
        assert normalise_options(PairOptions(**{name: value}), PairFacts()) == PairOptions(**{name: value})


def test_a_pair_normalised_twice_is_the_same_as_once_whatever_its_facts() -> None:
    every = PairOptions(**{**OTHER, "flag_do_crop": True})
    one_of_each = {tuple(map(id, declared(name))): name for name in OTHER if declared(name)}
    named = {other for name in OTHER for idle in declared(name) for other in (*idle.options, *idle.given)}
    chosen = sorted({*one_of_each.values(), *named})
    mixes = [every, *(replace(every, **{name: getattr(PairOptions(), name)}) for name in chosen)]
    mixes += [replace(mix, driving_multiplier=0.0) for mix in mixes]
    for known in product((None, False, True), repeat=len(fields(PairFacts))):
        facts = PairFacts(*known)
        if facts.driving_sound is not False and not (facts.driving_template and facts.driving_performance):
            continue  # only tables of curves have a sound beside them
        for options in mixes:
            once = normalise_options(options, facts)
            assert normalise_options(once, facts) == once and not ineffective(once, facts)
            changed = {name for name, value in asdict(once).items() if value != getattr(options, name)}
            assert changed == {line.partition("=")[0] for line in ineffective(options, facts)}


def test_other_values_are_other_values() -> None:
    assert OTHER.keys() == set(option_names())
    for name, value in asdict(PairOptions()).items():
        assert OTHER[name] != value


def test_facts_and_options_named_by_conditions_exist() -> None:
    facts = {fact.name for fact in fields(PairFacts)}
    for name in option_names():
        for idle in declared(name):
            assert idle.facts.keys() <= facts and {*idle.options, *idle.given} <= set(option_names()) - {name}
            for other, values in idle.options.items():
                for value in values:
                    make_options({other: value}, "declaration")


def test_the_docs_list_every_condition_and_no_other() -> None:
    """The table "Options without effect" of docs/options.md: options, and each reason that a row may give."""
    text = DOCS.read_text().partition("## Options without effect")[2].partition("\n## ")[0]
    listed: dict[str, set[str]] = {}
    for names, reasons in re.findall(r"^\| (`.+?`) \| (.+?) \|$", text, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", names):
            listed.setdefault(name, set()).update(reasons.split("<br>"))
    in_force = {name: {_reason(idle) for idle in declared(name)} for name in option_names() if declared(name)}
    assert listed == in_force


def _reason(idle: Idle) -> str:
    values = "".join(f"`{value}`: " for value in idle.values)
    return f"{values}{idle.because}"
