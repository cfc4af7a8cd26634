"""Edits and performances through the library: what was asked for is seen, on a picture alone and on a driving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lp_ray import LivePortraitPipeline, LivePortraitPipelineAnimal, PairFailedError, read_labels
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.edits import BY_NAME, CONTROLS, check_preview
from lp_ray.contract.option_values import make_options, override
from lp_ray.contract.options import OWN, edits_of, option_names
from lp_ray.contract.presets import preset, preset_names
from lp_ray.face.mediapipe.head_pose import head_poses
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.media.images import read_image
from lp_ray.motion import performed
from lp_ray.motion.template import TemplateHeader, write_template
from tests.generated import Generated, Performances

pytestmark = pytest.mark.slow

CROP = {"paste_back": False}
CURVES = """# fps=12
frame,head_yaw,lips_open,blink,smile
0,0,0,0,0
6,-15,90,0,1
9,,,1,
12,15,0,0,0
18,0,0,0,0
"""


@pytest.fixture(scope="module")
def preview() -> LivePortraitPipeline:
    return LivePortraitPipeline(engine="preview")


@pytest.fixture(scope="module")
def people() -> LivePortraitPipeline:
    return LivePortraitPipeline(weights="seeded", size="tiny")


@pytest.fixture
def performance(tmp_path: Path) -> Path:
    path = tmp_path / "nod.perf.csv"
    path.write_text(CURVES)
    return path


def still(pipeline: LivePortraitPipeline, source: Path, **edits: Any) -> Any:
    (frame,) = pipeline.frames(source, "none", **CROP, **edits)
    return frame


def points(frame: Any) -> Any:
    (face,) = MediaPipeLandmarker().detect(frame)
    return face.points[None]


def angles(frame: Any) -> Any:
    return head_poses(points(frame), frame.shape[1], frame.shape[0]).angles[0]


def test_every_control_is_an_option_that_is_neutral_by_default() -> None:
    assert [control.name for control in CONTROLS] == [n for n in option_names() if n in {c.name for c in CONTROLS}]
    assert edits_of(make_options({}, "here")) == {}
    given = {control.name: control.high for control in CONTROLS}
    assert edits_of(make_options(given, "here")) == given
    assert edits_of(make_options({"lip_ratio": 0.0}, "here")) == {"lip_ratio": 0.0}, "shut is not the source's own"
    with pytest.raises(RefusedError, match=r"here: eye_ratio=-0\.5 must be -1 \(the source's own\), or 0 and more"):
        make_options({"eye_ratio": -0.5}, "here")
    assert OWN == -1


@pytest.mark.parametrize("engine", ["preview", "people"])
def test_the_neutral_edit_is_the_identity(
    engine: str, request: pytest.FixtureRequest, generated: Generated, tmp_path: Path
) -> None:
    """A source without driving and without edit: the preview engine's is the picture to the bit, and of LivePortrait
    the picture of its own keypoints, which a driving of no strength gives too."""
    pipeline = request.getfixturevalue(engine)
    (frame,) = pipeline.frames(generated.portrait, "none")
    if engine == "preview":
        assert np.array_equal(frame, read_image(generated.portrait, Limits()))
        return
    (row,) = pipeline.frames(generated.portrait, generated.portrait, driving_multiplier=0.0)
    assert np.abs(frame.astype(int) - row).max() <= 1


@pytest.mark.parametrize(
    ("control", "value", "measure", "least"),
    [
        ("head_yaw", 15, lambda f: angles(f)[0], 8),
        ("head_pitch", 10, lambda f: angles(f)[1], 4),
        ("head_roll", 12, lambda f: angles(f)[2], 8),
        ("lips_open", 90, lambda f: float(lip_ratio(points(f))[0, 0]), 0.15),
        ("blink", 1, lambda f: -float(eye_ratios(points(f)).mean()), 0.1),
        ("wink", 39, lambda f: -float(eye_ratios(points(f)).min()), 0.1),
        ("smile", 1.3, lambda f: float(np.ptp(points(f)[0, [61, 291], 0])), 8),
        ("head_x", 0.15, lambda f: float(points(f)[0, :, 0].mean()), 12),
        ("head_y", 0.15, lambda f: -float(points(f)[0, :, 1].mean()), 12),
        ("head_z", 1.15, lambda f: float(np.ptp(points(f)[0, :, 1])), 10),
        ("brow", 30, lambda f: -float(points(f)[0, [105, 334], 1].mean()), 2),
        ("gaze_x", 30, lambda f: float(points(f)[0, [468, 473], 0].mean()), 1),
    ],
)
def test_a_control_of_the_preview_engine_does_what_it_is_called(
    preview: LivePortraitPipeline, generated: Generated, control: str, value: float, measure: Any, least: float
) -> None:
    """Measured by the landmarker on the result: more by at least so much than of the neutral face."""
    source = generated.closed_mouth if control in ("lips_open", "smile") else generated.portrait
    neutral = BY_NAME[control].neutral
    asked, rest = (measure(still(preview, source, **{control: amount})) for amount in (value, neutral))
    assert asked - rest >= least, (asked, rest)


def test_what_the_preview_engine_cannot_show_is_refused_by_name(
    preview: LivePortraitPipeline, generated: Generated
) -> None:
    with pytest.raises(RefusedError, match=r"pout=0\.05 has no effect with engine=preview; it needs liveportrait"):
        still(preview, generated.portrait, pout=0.05)


@pytest.mark.parametrize("engine", ["preview", "people"])
def test_an_edit_goes_on_top_of_a_driving(engine: str, request: pytest.FixtureRequest, generated: Generated) -> None:
    pipeline = request.getfixturevalue(engine)
    cut = {"end_s": 0.12, **CROP}
    plain = list(pipeline.frames(generated.portrait, generated.silent_clip, **cut))
    edited = list(pipeline.frames(generated.portrait, generated.silent_clip, head_yaw=-15, smile=1, **cut))
    neutral = list(pipeline.frames(generated.portrait, generated.silent_clip, head_yaw=0, smile=0, **cut))
    assert all(np.array_equal(a, b) for a, b in zip(plain, neutral, strict=True))
    assert all(np.abs(a.astype(int) - b).mean() > 0.5 for a, b in zip(plain, edited, strict=True))


@pytest.mark.parametrize("engine", ["preview", "people"])
@pytest.mark.parametrize("chunk", [1, 7])
def test_a_performance_is_a_driving_however_it_is_cut(
    engine: str, chunk: int, request: pytest.FixtureRequest, generated: Generated, performance: Path
) -> None:
    settings = {"engine": "preview"} if engine == "preview" else {"weights": "seeded", "size": "tiny"}
    whole = list(request.getfixturevalue(engine).frames(generated.portrait, performance, **CROP))
    pieces = list(LivePortraitPipeline(**settings, chunk_frames=chunk).frames(generated.portrait, performance, **CROP))
    assert len(whole) == 19
    assert all(np.array_equal(a, b) for a, b in zip(whole, pieces, strict=True))


def test_a_performance_measured_again(
    preview: LivePortraitPipeline, generated: Generated, performance: Path, tmp_path: Path
) -> None:
    """Yaw, jaw and blink of the result follow the curves that were asked for."""
    frames = list(preview.frames(generated.portrait, performance, **CROP))
    seen = np.array([[angles(f)[0], lip_ratio(points(f))[0, 0], -eye_ratios(points(f)).mean()] for f in frames])
    keys = {"yaw": ([0, 6, 12, 18], [0, -15, 15, 0]), "jaw": ([0, 6, 12], [0, 90, 0])}
    keys["blink"] = ([0, 6, 9, 12, 18], [0, 0, 1, 0, 0])
    asked = np.stack([np.interp(np.arange(19), *keys[name]) for name in ("yaw", "jaw", "blink")], 1)
    assert [np.corrcoef(seen[:, c], asked[:, c])[0, 1] >= 0.9 for c in range(3)] == [True] * 3, seen
    row = preview.animate(generated.closed_mouth, performance, tmp_path, start_s=0.5, end_s=1.0)
    assert (row["n_frames"], row["fps"]) == (6, {"numerator": 12, "denominator": 1})


def test_a_source_video_is_performed_at_its_own_rate(
    people: LivePortraitPipeline, preview: LivePortraitPipeline, generated: Generated, performance: Path, tmp_path: Path
) -> None:
    for pipeline in (people, preview):
        row = pipeline.animate(generated.film, performance, tmp_path / pipeline._engine.name)
        assert row["n_frames"] > 1 and row["fps"] != {"numerator": 12, "denominator": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [("frame,head_yaw\n0,90\n", "head_yaw"), ("frame,colour\n0,1\n", "colour"), ("", "")],
)
def test_a_wrong_table_fails_its_pair(
    preview: LivePortraitPipeline, generated: Generated, tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "wrong.perf.csv"
    path.write_text(text)
    with pytest.raises(PairFailedError, match=f"template: PerformanceError: .*{reason}"):
        preview.animate(generated.portrait, path, tmp_path / "out")


def test_options_that_a_performance_leaves_without_effect_are_said(
    people: LivePortraitPipeline, generated: Generated, performance: Path, tmp_path: Path
) -> None:
    row = people.animate(generated.portrait, performance, tmp_path, end_s=0.1, flag_relative_motion=False)
    assert row["options_without_effect"] == ["flag_relative_motion=False: the driving is a performance"]


def test_animals_have_no_edits(generated: Generated, performance: Path, tmp_path: Path) -> None:
    animals = LivePortraitPipelineAnimal(weights="seeded", size="tiny")
    with pytest.raises(RefusedError, match=r"smile=1\.0 has no effect on animals"):
        animals.animate(generated.cat, generated.silent_clip, tmp_path, box=[0, 0, 100, 100], smile=1)
    with pytest.raises(PairFailedError, match="UnsupportedError: a performance moves people's keypoints"):
        animals.animate(generated.cat, performance, tmp_path, box=[100, 100, 300, 300])


def test_regions_are_weighed_and_motion_is_smoothed(people: LivePortraitPipeline, generated: Generated) -> None:
    """No weight leaves the source's own motion, a half one lies between, and smoothing changes frames but the first."""
    cut = {"start_s": 0.5, "end_s": 0.8, **CROP}

    def made(**options: float) -> Any:
        return np.stack(list(people.frames(generated.portrait, generated.silent_clip, **cut, **options))).astype(int)

    plain, half = made(), made(weight_pose=0.5, weight_exp=0.5, weight_eyes=0.5, weight_lip=0.5)
    none = made(weight_pose=0, weight_exp=0, weight_eyes=0, weight_lip=0)
    assert np.abs(none - none[:1]).max() <= 1, "nothing moves"
    assert 0 < np.abs(half - none).mean() < np.abs(plain - none).mean()
    assert np.abs(made(driving_smooth=1e-3) - plain).mean() > 0


def test_a_source_video_s_lips_and_silence(generated: Generated) -> None:
    """Without a driving the result is the whole video. Lips are smoothed over all of it, so that cuts into chunks do
    not show; silence leaves less motion than there was."""

    def made(chunk: int, **options: Any) -> Any:
        pipeline = LivePortraitPipeline(weights="seeded", size="tiny", chunk_frames=chunk)
        return np.stack(list(pipeline.frames(generated.film, "none", **CROP, **options))).astype(int)

    plain, opened, rough = made(32), made(32, lip_ratio=0.4), made(32, lip_ratio=0.4, lip_smooth=0)
    assert len(plain) == len(opened) > 20
    assert np.array_equal(made(7, lip_ratio=0.4), opened)
    assert np.abs(opened - plain).max() > 0 and np.abs(opened - rough).max() > 0
    silent = made(32, silence=True)
    assert np.abs(silent - plain).max() > 0 and np.array_equal(made(7, silence=True), silent)


def test_a_driving_is_held_inside_what_looks_good(
    tmp_path: Path, generated: Generated, performances: Performances
) -> None:
    """The head, which is shaken, turns no further than asked; a limit that no frame reaches changes nothing."""
    made = LivePortraitPipeline(engine="preview", labels="asked")

    def turn(**options: float) -> Any:
        cut = {"start_s": 2.3, "end_s": 3.0, **CROP}
        row = made.animate(generated.portrait, performances.nod, tmp_path, **cut, **options)
        return read_labels(tmp_path, row["pair_id"])["asked_turn"], row["sha256"]

    free, wide, held = turn(), turn(max_yaw=170), turn(max_yaw=2, max_pitch=2, max_roll=2)
    assert np.array_equal(free[0], wide[0]) and free[1] == wide[1]
    assert np.abs(free[0]).max() > 2 and np.abs(held[0]).max() <= 2.01
    assert np.abs(held[0][:, 0]).max() > 1, "it still turns"


def test_a_named_edit_is_its_values(preview: LivePortraitPipeline, generated: Generated, tmp_path: Path) -> None:
    """A carried one, one of a file, and values beside it, which go first; it is the same pair, however typed."""
    assert make_options({"edit": "smile_left"}, "here") == make_options({"smile": 0.9, "head_yaw": -15}, "here")
    assert make_options({"edit": "smile_left", "head_yaw": 5}, "here").head_yaw == 5
    mine = tmp_path / "mine.yaml"
    mine.write_text("grim: {smile: -0.2, eyebrow: -10}")
    assert edits_of(make_options({"edit": f"{mine}:grim"}, "here")) == {"smile": -0.2, "brow": -10}
    typed = preview.animate(generated.portrait, "none", tmp_path / "out", smile=-0.2, brow=-10)
    named = preview.animate(generated.portrait, "none", tmp_path / "out", edit=f"{mine}:grim")
    assert (named["pair_id"], named["kind"]) == (typed["pair_id"], "image")


def test_a_file_of_edits_is_parsed_once_for_all_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However many rows of a manifest name its edits; and again when it changes."""
    parsed, load = [], yaml.safe_load
    monkeypatch.setattr(yaml, "safe_load", lambda text: parsed.append(text) or load(text))
    place = tmp_path / "mine.yaml"
    for text, value in (("calm: {smile: 0.1}", 0.1), ("calm: {smile: 0.25}", 0.25)):
        place.write_text(text)
        assert all(preset(f"{place}:calm", f"row {row}") == {"smile": value} for row in range(50))
    assert len(parsed) == 2
    with pytest.raises(RefusedError, match=r"row 7: edit=.*no edit 'clam'"):
        preset(f"{place}:clam", "row 7")


@pytest.mark.parametrize("name", preset_names())
def test_carried_edits_are_in_range_and_both_engines_have_them(name: str) -> None:
    check_preview(preset(name, "here"), "here")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("smlie", r"edit='smlie': there is no edit 'smlie' \(did you mean 'smile'"),
        ("nowhere.yaml:smile", "edit=nowhere.yaml: No such file"),
        ("{folder}/list.yaml:a", "must be a table of names"),
        ("{folder}/wrong.yaml:a", "no control 'colour'"),
        ("{folder}/wrong.yaml:b", "must be controls with values"),
        ("{folder}/wrong.yaml:c", "smile=9 must be between"),
        ("{folder}/evil.yaml:a", "no YAML file"),
    ],
)
def test_what_is_no_named_edit_is_refused(tmp_path: Path, typed: str, reason: str) -> None:
    (tmp_path / "list.yaml").write_text("- a")
    (tmp_path / "wrong.yaml").write_text("a: {colour: 1}\nb: 3\nc: {smile: 9}")
    (tmp_path / "evil.yaml").write_text("a: !!python/object/apply:os.system ['true']")
    with pytest.raises(RefusedError, match=reason):
        make_options({"edit": typed.format(folder=tmp_path)}, "options")


def test_a_rows_edit_takes_the_place_of_the_jobs_and_given_values_go_first() -> None:
    job = make_options({"edit": "smile", "crf": 20}, "options")
    row = override(job, {"edit": "sad"}, "row 0")
    assert edits_of(row) == preset("sad", "here") and row.crf == 20
    assert edits_of(override(job, {"head_yaw": 5.0}, "row 0")) == {"head_yaw": 5.0, "smile": 0.9}
    assert "blink" not in edits_of(make_options({"edit": "big_smile", "blink": 0.0}, "here")), "given, if neutral"
    assert override(job, {"edit": "big_smile", "blink": 0.0}, "row 0").blink == 0


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"control_head_z": np.ones(3, np.float32)}, "holds no control_head_z"),
        ({"control_head_z": np.full((3, 1), 1e30, np.float32)}, "between 0.9 and 1.2"),
        ({"control_blink": np.full((3, 1), np.nan, np.float32)}, "not finite"),
        ({"rotation": np.ones((3, 1), np.float32)}, "holds no rotation"),
    ],
)
def test_a_template_that_says_it_is_a_performance_is_held_to_it(
    preview: LivePortraitPipeline, generated: Generated, tmp_path: Path, rows: Any, reason: str
) -> None:
    header = TemplateHeader(performed.ENGINE, "1", "", 25, 1, 3)
    write_template(tmp_path / "evil.npz", header, [rows])
    with pytest.raises(PairFailedError, match=f"template: TemplateError: .*{reason}"):
        preview.animate(generated.portrait, tmp_path / "evil.npz", tmp_path / "out")


def test_no_driving_is_neither_cut_nor_a_source(
    preview: LivePortraitPipeline, generated: Generated, tmp_path: Path
) -> None:
    with pytest.raises(PairFailedError, match="there is no driving to cut"):
        preview.animate(generated.portrait, "none", tmp_path, start_s=1)
    with pytest.raises(PairFailedError, match="SchemeNotAllowedError"):
        preview.animate("none://neutral", "none", tmp_path)
