"""Every row of docs/options.md and every cell of it: what each column says of an option is what a job does with it.

The animals' column has more in `test_options_table.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lp_ray import LivePortraitPipeline, LivePortraitPipelineAnimal, PairFailedError
from lp_ray.base.errors import RefusedError
from lp_ray.contract.edits import CONTROLS
from lp_ray.contract.option_checks import check_options
from lp_ray.contract.option_values import make_options
from lp_ray.contract.options import DEFAULTS, LIVEPORTRAIT, option_names
from lp_ray.face.protocol import LandmarkerSpec
from scripts.option_cells import COLUMNS, PAGE, WORDS, count, read_rows
from tests.generated import CAT_BOX, Generated

ROOT = Path(__file__).parents[2]
ROWS = read_rows(PAGE.read_text())
SAID = {option: row.cells for row in ROWS for option in row.options}
ENGINES = {"people": (LIVEPORTRAIT, "human"), "animals": (LIVEPORTRAIT, "animal"), "preview": ("preview", "human")}

CROP = {"paste_back": False}


@dataclass(frozen=True)
class Case:
    """A value of an option that shows in a result, what it is compared under, and of which source and driving."""

    value: Any
    under: dict[str, Any] = field(default_factory=lambda: CROP)
    source: str = "portrait"
    driving: str = "moving"


def film(value: Any, driving: str = "short", **under: Any) -> Case:
    """A case of a source video."""
    return Case(value, CROP | under, "film", driving)


CASES = {
    "paste_back": Case(False, {}),
    "flag_do_crop": Case(False),
    "flag_do_rot": Case(False),
    "source_max_dim": Case(256, {}),
    "source_division": Case(64, {}),
    "crop_scale": Case(3.0),
    "crop_vx": Case(0.1),
    "crop_vy": Case(0.1),
    "flag_crop_driving_video": Case(True, driving="square"),
    "driving_crop_scale": Case(1.5, CROP | {"flag_crop_driving_video": True}, driving="square"),
    "driving_crop_vx": Case(0.2, CROP | {"flag_crop_driving_video": True}, driving="square"),
    "driving_crop_vy": Case(0.2, CROP | {"flag_crop_driving_video": True}, driving="square"),
    "animation_region": Case("lip"),
    "driving_multiplier": Case(0.5),
    "driving_smooth_observation_variance": film(1e-2),
    "flag_relative_motion": Case(False),
    "flag_stitching": Case(False),
    "flag_eye_retargeting": Case(True),
    "flag_lip_retargeting": Case(True),
    "flag_source_video_eye_retargeting": film(True),
    "flag_normalize_lip": Case(True),
    "driving_reference": Case("3"),
    "driving_smooth": Case(1e-3),
    **{f"weight_{region}": Case(0.5) for region in ("pose", "eyes", "lip", "exp")},
    "edit": Case("smile", driving="none"),
    **{control.name: Case(control.high, driving="none") for control in CONTROLS},
    "lip_smooth": film(0.0, "none", lip_ratio=0.4),
    "silence": film(True, "none"),
    "source_start_s": film(0.4),
    "source_end_s": film(0.2),
    "driving_length": film("loop"),
    "audio": Case("none"),
    "format": Case("gif"),
    "alpha": Case("keep", CROP | {"format": "frames"}),
    "crf": Case(40),
    "preset": Case("ultrafast"),
}
"""Option -> a case in which it shows, for the columns that say so."""

ELSEWHERE = {
    "driving_option": "tests/engine/liveportrait/test_idle_options.py",  # its factor is 1 but for rounding
    "audio_track": "tests/test_api.py",
    "comparison": "tests/test_api.py",
    **{f"max_{angle}": "tests/test_edits.py" for angle in ("pitch", "yaw", "roll")},  # of a driving that turns enough
    "encoder": "tests/media/test_encode.py",  # NVENC needs a GPU
}
"""Options whose effect cannot be told from the result's bytes in these cases -> the tests that show it."""

INPUTS = {
    "`source=`, or a row": ("tests/end_to_end/test_kinds.py", "test_liveportrait"),
    "the same; `media: video`": ("tests/end_to_end/test_kinds.py", "test_preview"),
    "`driving=`, or a row": ("tests/end_to_end/test_kinds.py", "test_preview"),
    "the same": ("tests/end_to_end/test_liveportrait.py", "test_the_references_templates_drive_portraits"),
    "`templates=`": ("tests/end_to_end/test_animate.py", "test_templates_are_reusable_files"),
    "`output=`": ("tests/end_to_end/test_animate.py", "test_every_pair_has_one_whole_row"),
    "manifests": ("tests/end_to_end/test_liveportrait.py", "test_pairs_with_options_of_their_own"),
    "`face` of a source": ("tests/face/test_select.py", ""),
    "`face: all`": ("tests/test_api.py", "test_all_faces_move"),
    "`drivings` of a pair": ("tests/end_to_end/test_several_faces.py", "test_two_who_cross_keep_their_drivings"),
    "`box` of a source": ("tests/test_api.py", "test_a_box_is_in_the_pictures_own_pixels"),
    "`subject: animal`": ("tests/end_to_end/test_animals.py", "test_animals_of_pictures_and_of_boxes"),
    "`detector=insightface`": ("tests/end_to_end/test_insightface.py", "test_a_job_on_the_insightface_detector"),
    "`driving=none`": ("tests/test_edits.py", "test_the_neutral_edit_is_the_identity"),
    "a performance as": ("tests/test_edits.py", "test_a_performance_is_a_driving_however_it_is_cut"),
}
"""How a row about inputs begins -> the test that shows it."""


def test_every_cell_says_one_of_four_things_and_every_option_has_a_row() -> None:
    assert {word for row in ROWS for word in row.cells.values()} <= set(WORDS)
    assert SAID.keys() == set(option_names())
    assert all(SAID[name]["people"] == "✓" for name in option_names()), "people have every option"


def test_every_row_about_inputs_has_its_test() -> None:
    for row in ROWS:
        if row.options:
            continue
        (found,) = [INPUTS[start] for start in INPUTS if _starts(row.here, start)]
        path, name = found
        assert (f"def {name}(" if name else "def test_") in (ROOT / path).read_text(), row.here
    assert all(any(_starts(row.here, start) for row in ROWS) for start in INPUTS), "no row of the table is gone"
    assert all((ROOT / path).is_file() for path in ELSEWHERE.values())


def _starts(here: str, start: str) -> bool:
    return here == start or (start != "the same" and here.startswith(start))


@pytest.mark.parametrize("column", COLUMNS)
def test_what_is_refused_is_said_and_nothing_else_is_refused(column: str) -> None:
    """Each option, set to another value, alone: refused by name where the table says so, taken where it has a tick."""
    engine, variant = ENGINES[column]
    assert CASES.keys() | ELSEWHERE.keys() == set(option_names())
    others: dict[str, Any] = dict.fromkeys(("max_pitch", "max_yaw", "max_roll"), 12.0)
    others |= {"driving_option": "pose-friendly", "audio_track": 1, "comparison": True, "encoder": "nvenc"}
    for name in option_names():
        case = CASES.get(name) or Case(others[name])
        assert case.value != DEFAULTS[name]
        options = make_options({**case.under, name: case.value}, "row 7")
        if SAID[name][column] == "✓":
            check_options(options, engine, variant, "row 7")
            continue
        named = "smile" if name == "edit" else name  # it has become the values of its controls
        alone = make_options({name: case.value}, "row 7")
        with pytest.raises(RefusedError, match=rf"row 7: {named}=.* has no effect"):
            check_options(alone, engine, variant, "row 7")


@pytest.mark.slow
def test_the_cells_that_are_no_tick_of_rows_about_inputs(generated: Generated, tmp_path: Path) -> None:
    """What else the page calls refused or a failed row, one by one."""
    rows = [row for row in ROWS if not row.options]
    assert {(row.here.split(";")[0][:16], c) for row in rows for c in COLUMNS if row.cells[c] not in ("✓", "-")} == {
        ("the same", "preview"),
        ("`detector=insigh", "preview"),
        ("`driving=none`", "animals"),
        ("a performance as", "animals"),
    }
    preview = LivePortraitPipeline(engine="preview")
    with pytest.raises(PairFailedError, match="cannot use: give the clip itself"):
        preview.animate(generated.portrait, generated.template, tmp_path / "a")
    with pytest.raises(RefusedError, match="insightface"):
        other = LivePortraitPipeline(engine="preview", landmarker=LandmarkerSpec("insightface"))
        other.animate(generated.portrait, generated.clip, tmp_path / "b")
    animals = LivePortraitPipelineAnimal(weights="seeded", size="tiny")
    table = tmp_path / "nod.perf.csv"
    table.write_text("frame,head_yaw\n0,0\n5,-15\n")
    for driving in ("none", table):
        with pytest.raises(PairFailedError, match="a performance moves people's keypoints, and this is an animal"):
            animals.animate(generated.cat, driving, tmp_path / "c", box=CAT_BOX)


def test_the_counts_can_be_told() -> None:
    """`python -m scripts.option_cells`: fewer ticks, or more refusals of what was there, would be seen here."""
    counted = count(ROWS)
    assert all(sum(found.values()) == len(ROWS) for found in counted.values())
    assert counted["people"]["refused"] == counted["people"]["failed row"] == 0
    assert counted["animals"]["failed row"] <= 2 and counted["preview"]["failed row"] <= 1
