"""Keys change with everything that changes a result, and with nothing else."""

from __future__ import annotations

from dataclasses import asdict, replace

from lp_ray import keys
from lp_ray.options import PairOptions

SOURCE = {"uri": "file:///a.jpg", "version": "1", "face": "0", "box": None, "subject": "human"}
DRIVING = {"uri": "file:///a.mp4", "version": "1", "face": "0", "start_s": None, "end_s": None}


def test_every_field_of_an_input_is_in_its_key() -> None:
    changes = {"uri": "file:///b", "version": "2", "face": "1", "box": [0, 0, 1, 1], "subject": "animal"}
    made = {keys.source_key(**SOURCE), *(keys.source_key(**(SOURCE | {k: v})) for k, v in changes.items())}
    assert len(made) == 1 + len(changes)
    changes = {"uri": "file:///b", "version": "2", "face": "1", "start_s": 1.0, "end_s": 1.0}
    made = {keys.driving_key(**DRIVING), *(keys.driving_key(**(DRIVING | {k: v})) for k, v in changes.items())}
    assert len(made) == 1 + len(changes)


def test_every_option_is_in_the_pairs_key() -> None:
    other = {
        "paste_back": False,
        "source_max_dim": 640,
        "crop_scale": 2.0,
        "driving_multiplier": 0.5,
        "animation_region": "lip",
        "driving_option": "pose-friendly",
        "flag_relative_motion": False,
        "flag_stitching": False,
        "flag_eye_retargeting": True,
        "flag_lip_retargeting": True,
        "flag_normalize_lip": True,
        "driving_reference": "neutral",
        "audio": "none",
        "crf": 30,
        "preset": "medium",
    }
    assert set(other) == set(asdict(PairOptions())), "a new option belongs into this test"
    texts = [keys.options_json(PairOptions())]
    texts += [keys.options_json(replace(PairOptions(), **{name: value})) for name, value in other.items()]
    assert len({keys.pair_key("s", "d", text, "w") for text in texts}) == len(texts)


def test_parts_do_not_run_into_each_other() -> None:
    assert keys.pair_key("ab", "c", "o", "w") != keys.pair_key("a", "bc", "o", "w")
