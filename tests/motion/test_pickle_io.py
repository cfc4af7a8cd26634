"""Motion templates of the reference: import, export, round trip."""

from __future__ import annotations

import json
import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lp_ray.base.errors import InputTooLargeError, TemplateError
from lp_ray.base.limits import Limits
from lp_ray.motion.pickle_io import ENGINE, exact_rate, export_pickle, import_pickle
from lp_ray.motion.records import TAILS
from lp_ray.motion.template import TemplateHeader, TemplateReader, write_template
from tests.generated import Generated
from tests.goldens import Goldens


def _record(i: int, rotation: str = "R", extra: tuple[str, ...] = ()) -> dict[str, Any]:
    names = {"scale": "scale", rotation: "R", "exp": "exp", "t": "t", **{name: name for name in extra}}
    random = np.random.default_rng(i)
    return {key: random.uniform(0.5, 1, (1, *TAILS[name])).astype(np.float32) for key, name in names.items()}


def _content(n: int = 3, **changes: Any) -> dict[str, Any]:
    return {"n_frames": n, "output_fps": 25, "motion": [_record(i) for i in range(n)], **changes}


def test_every_template_of_the_reference_survives_the_round_trip(media: Path) -> None:
    paths = sorted((media / "templates").glob("*.pkl"))
    assert paths
    for path in paths:
        header, frames = import_pickle(path.read_bytes())
        again, same = import_pickle(export_pickle(header, frames))
        assert (again.n_frames, again.fps) == (header.n_frames, header.fps)
        assert same.keys() == frames.keys() >= {"scale", "R", "exp", "t"}
        for name, rows in frames.items():
            assert rows.dtype == np.float32 and rows.shape == (header.n_frames, *TAILS[name])
            np.testing.assert_array_equal(rows, same[name], err_msg=f"{path.name} {name}")


def test_import_agrees_with_plain_pickle(media: Path, goldens: Goldens) -> None:
    """The numbers are those that the trusting unpickler gives; counts are those of templates.json."""
    facts = json.loads((goldens / "templates.json").read_text())["files"]
    templates = {name: fact for name, fact in facts.items() if fact.get("motion_keys")}
    assert templates
    for name, fact in templates.items():
        data = (media / "templates" / name).read_bytes()
        header, frames = import_pickle(data)
        assert (header.engine, header.n_frames, header.fps) == (ENGINE, fact["n_frames"], fact["output_fps"])
        trusted = pickle.loads(data)
        for key, ours in (("scale", "scale"), ("R", "R"), ("R_d", "R"), ("exp", "exp"), ("t", "t")):
            if key in fact["motion_keys"]:
                theirs = np.concatenate([record[key] for record in trusted["motion"]])
                np.testing.assert_array_equal(frames[ours], theirs)
        for key, ours in (("c_d_eyes_lst", "eye_ratio"), ("c_d_lip_lst", "lip_ratio")):
            assert (ours in frames) == (key in fact["list_items"])
            if ours in frames:
                np.testing.assert_array_equal(frames[ours], np.concatenate(trusted[key]))


def test_an_export_has_the_form_the_reference_writes_now(goldens: Goldens) -> None:
    """Keys, their order, shapes and dtypes of templates.json, `written_by_reference_now`."""
    form = json.loads((goldens / "templates.json").read_text())["written_by_reference_now"]
    frames = {name: np.ones((4, *tail), np.float32) for name, tail in TAILS.items()}
    header = TemplateHeader(ENGINE, "w", "l", 30000, 1001, 4)
    exported = pickle.loads(export_pickle(header, frames))
    assert list(exported) == form["top"]
    assert exported["n_frames"] == 4 and exported["output_fps"] == pytest.approx(29.97, abs=1e-3)
    for record in exported["motion"]:
        assert {key: list(value.shape) for key, value in record.items()} == form["motion_human"]
        assert {str(value.dtype) for value in record.values()} == {form["dtype"]}
    for key, shape in form["list_items"].items():
        assert [list(item.shape) for item in exported[key]] == [shape] * 4
    again, _ = import_pickle(export_pickle(header, frames))
    assert again.fps == header.fps


def test_an_imported_template_is_one_of_ours(generated: Generated, tmp_path: Path) -> None:
    header, frames = import_pickle(generated.template.read_bytes())
    write_template(tmp_path / "d1.npz", header, [frames])
    back = TemplateReader(tmp_path / "d1.npz").read()
    for name, rows in frames.items():
        np.testing.assert_array_equal(back[name], rows)


@pytest.mark.parametrize("rotation", ["R", "R_d"])
def test_names_old_and_new_and_arrays_some_frames_lack(rotation: str) -> None:
    motion = [_record(i, rotation, ("kp",) if i else ()) for i in range(3)]
    ratios: Any = [np.full((1, 2), 0.3, np.float32)] * 3
    key = "c_d_eyes_lst" if rotation == "R_d" else "c_eyes_lst"
    _, frames = import_pickle(pickle.dumps(_content(motion=motion, **{key: ratios}), 4))
    assert sorted(frames) == ["R", "exp", "eye_ratio", "scale", "t"]


NAN = np.full((1, 3), np.nan, np.float32)
BROKEN: dict[str, tuple[Any, str]] = {
    "no dict": ([1, 2], "no list `motion`"),
    "no motion": ({"n_frames": 1}, "no list `motion`"),
    "no frames": (_content(0), "n_frames"),
    "another count": (_content(n_frames=4), "n_frames is 4 over 3"),
    "count of another kind": (_content(n_frames=np.zeros(3)), "n_frames"),
    "record of another kind": (_content(motion=[1, 2, 3]), "not a dict"),
    "last record of another kind": (_content(motion=[_record(0), _record(1), 3]), "a motion record is not a dict"),
    "array missing": (_content(motion=[{"exp": np.zeros((1, 21, 3))}] * 3), "motion without scale"),
    "array mis-shaped": (_content(motion=[{**_record(0), "t": np.zeros((1, 4))}] * 3), "t of frame 0"),
    "number for array": (_content(motion=[{**_record(0), "t": 0}] * 3), "t of frame 0 is int"),
    "not finite": (_content(motion=[{**_record(0), "t": NAN}] * 3), "t holds values"),
    "too large": (_content(motion=[{**_record(0), "t": np.full((1, 3), 1e300)}] * 3), "t holds values"),
    "scale of zero": (_content(motion=[{**_record(0), "scale": np.zeros((1, 1))}] * 3), "scale must"),
    "ratios too few": (_content(c_eyes_lst=[np.zeros((1, 2))] * 2), "eye_ratio is not a list of 3"),
    "rate missing": ({k: v for k, v in _content().items() if k != "output_fps"}, "output_fps"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_templates_say_what_is_wrong(name: str) -> None:
    content, message = BROKEN[name]
    with pytest.raises(TemplateError, match=message):
        import_pickle(pickle.dumps(content, 4))


def test_limits_hold() -> None:
    data = pickle.dumps(_content(5), 4)
    with pytest.raises(InputTooLargeError, match="5 frames"):
        import_pickle(data, Limits(max_frames=4))
    with pytest.raises(InputTooLargeError, match="bytes"):
        import_pickle(data, Limits(max_bytes=100))


def test_only_liveportrait_motion_has_a_pkl_form() -> None:
    frames = {name: np.ones((1, *tail), np.float32) for name, tail in TAILS.items()}
    with pytest.raises(TemplateError, match="preview"):
        export_pickle(TemplateHeader("preview", "w", "l", 25, 1, 1), frames)
    with pytest.raises(TemplateError, match="1 frames of motion under a header of 2"):
        export_pickle(TemplateHeader(ENGINE, "w", "l", 25, 1, 2), frames)


@pytest.mark.parametrize(
    ("given", "exact"),
    [
        (25, Fraction(25)),
        (25.0, Fraction(25)),
        (12.5, Fraction(25, 2)),
        (29.97, Fraction(30000, 1001)),
        (30000 / 1001, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (29.5, Fraction(59, 2)),
        (0.5, Fraction(1, 2)),
    ],
)
def test_rates_are_exact(given: float, exact: Fraction) -> None:
    assert exact_rate(given) == exact


@pytest.mark.parametrize("given", [0, -25, 1001, 10**400, 1e-9, np.inf, np.nan, True, "25", None])
def test_impossible_rates_are_refused(given: object) -> None:
    with pytest.raises(TemplateError, match="output_fps"):
        exact_rate(given)
