"""What people type becomes settings, or is answered with what to type."""

from __future__ import annotations

import pytest

from jobs.flags import as_settings, check_keys
from lp_ray.base.errors import RefusedError

UNDERSTOOD = [
    ("source=a.jpg crf=20", ["source=a.jpg", "crf=20"]),
    ("flag_pasteback=false scale=2.5", ["paste_back=false", "crop_scale=2.5"]),
    ("-s a.jpg -d b.mp4 -o out", ["source=a.jpg", "driving=b.mp4", "output=out"]),
    ("--source a.jpg --driving=b.mp4 --output-dir out", ["source=a.jpg", "driving=b.mp4", "output=out"]),
    ("--flag-crop-driving-video", ["flag_crop_driving_video=true"]),
    ("--no-flag-stitching --no-flag-pasteback", ["flag_stitching=false", "paste_back=false"]),
    ("--flag_do_rot false --dry-run", ["flag_do_rot=false", "dry_run=true"]),
    ("--driving-multiplier 1.5 --animation-region lip", ["driving_multiplier=1.5", "animation_region=lip"]),
    ("--scale 2.5 --vy-ratio -0.1", ["crop_scale=2.5", "crop_vy=-0.1"]),
    ("output=-strange", ["output=-strange"]),
]
ANSWERED = [
    ("--flag-force-cpu", "--flag-force-cpu: type engine.device=cpu"),
    ("--flag-use-half-precision", "type engine.precision=float16"),
    ("--device-id 0", "type engine.device=cuda"),
    ("-s", "-s needs a value: type source=…"),
    ("--source --driving b.mp4", "--source needs a value: type source=…"),
    ("a.jpg", "'a.jpg' is no setting: settings are typed key=value, such as source=a.jpg"),
    ("source= a.jpg", "a space is left after 'source=': type source=a.jpg"),
    ("--", "-- is no setting"),
]


@pytest.mark.parametrize(("typed", "settings"), UNDERSTOOD, ids=[typed for typed, _ in UNDERSTOOD])
def test_flags_become_settings(typed: str, settings: list[str]) -> None:
    assert as_settings(typed.split()) == settings


@pytest.mark.parametrize(("typed", "words"), ANSWERED, ids=[typed for typed, _ in ANSWERED])
def test_what_is_no_setting_is_answered_with_what_to_type(typed: str, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        as_settings(typed.split())
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("crff=1", "crff=… is no setting (did you mean 'crf'?)"),
        ("+crff=1", "crff=… is no setting (did you mean 'crf'?)"),
        ("+crf=1", "+crf=1: type crf=1"),
        ("~crf", "~crf: type crf="),
        ("engine=previw", "engine=previw must be one of liveportrait, preview (did you mean 'preview'?)"),
    ],
)
def test_settings_and_choices_that_there_are_not(setting: str, words: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check_keys([setting], {"crf", "source"}, {"engine": ("preview", "liveportrait")})
    assert str(refused.value).startswith(words)
