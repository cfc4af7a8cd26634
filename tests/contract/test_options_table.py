"""The animals' column of docs/options.md: every option that it names does something, or is refused, as it says."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lp_ray import LivePortraitPipelineAnimal
from lp_ray.acting.curves import ONSET_S
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.edits import CONTROLS
from lp_ray.contract.option_checks import check_options
from lp_ray.contract.option_values import make_options
from lp_ray.contract.options import LIVEPORTRAIT, PairOptions, option_names
from lp_ray.face.framing import SourceFraming
from lp_ray.face.portrait import crop_face
from lp_ray.face.protocol import Face
from lp_ray.media.images import read_image
from tests.generated import CAT_BOX, Generated

TABLE = Path(__file__).parents[2] / "docs" / "options.md"
MOVING = {"start_s": ONSET_S + 0.1, "end_s": ONSET_S + 0.2}
CROP = {"paste_back": False}

REFUSED: dict[str, Any] = {
    "animation_region": "lip",
    "driving_option": "pose-friendly",
    "driving_smooth_observation_variance": 1e-3,
    "flag_relative_motion": False,
    "flag_eye_retargeting": True,
    "flag_lip_retargeting": True,
    "flag_normalize_lip": True,
    "flag_source_video_eye_retargeting": True,
    "driving_smooth": 1e-3,
    **dict.fromkeys(("weight_pose", "weight_eyes", "weight_lip", "weight_exp"), 0.5),
    "lip_smooth": 1e-3,
    "silence": True,
    **dict.fromkeys(("max_pitch", "max_yaw", "max_roll"), 12.0),
    **{control.name: control.low if control.low != control.neutral else control.high for control in CONTROLS},
    "edit": "smile",
}
"""Option -> a value that an animal job refuses."""

SEEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "paste_back": (False, {}),
    "flag_do_crop": (False, CROP),
    "source_max_dim": (256, {}),
    "source_division": (64, {}),
    "crop_scale": (3.0, CROP),
    "crop_vx": (0.1, CROP),
    "crop_vy": (0.1, CROP),
    "driving_multiplier": (0.5, CROP),
    "flag_stitching": (False, CROP),
    "driving_reference": ("3", CROP),
    "format": ("gif", CROP),
    "alpha": ("keep", CROP | {"format": "frames"}),
    "crf": (40, CROP),
    "preset": ("ultrafast", CROP),
}
"""Option -> a value that changes the result of a template, and the options it is compared under."""

SEEN_OF_CLIPS: dict[str, tuple[Any, dict[str, Any]]] = {
    "audio": ("none", CROP),
    "flag_crop_driving_video": (True, CROP),
    "driving_crop_scale": (1.5, CROP | {"flag_crop_driving_video": True}),
    "driving_crop_vx": (0.2, CROP | {"flag_crop_driving_video": True}),
    "driving_crop_vy": (0.2, CROP | {"flag_crop_driving_video": True}),
}
"""The same, of a driving that is a clip with sound."""

SEEN_OF_FILMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "driving_length": ("loop", {"format": "frames"}),
    "source_start_s": (0.4, {"format": "frames"}),
    "source_end_s": (0.4, {"format": "frames"}),
}
"""The same, of a source video."""

SHOWN_ELSEWHERE = {"comparison", "encoder", "flag_do_rot", "audio_track"}
"""Beside the result; on a GPU; where points say how a face stands; of films with several sound tracks."""


def column() -> dict[str, str]:
    """Option -> what the animals' column says of it."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if "animals" in cells:
            names = cells
        elif not cells:
            names = []
        elif names and set(line) - set("|-"):
            words = {part for code in re.findall(r"`([^`]+)`", cells[1]) for part in re.findall(r"\w+", code)}
            said = {*re.findall(r"`(\w+)`", cells[0])} if "the same" in cells[1] else words
            for option in said & set(option_names()):
                found[option] = cells[names.index("animals")]
    return found


def test_the_table_names_every_option_and_its_animals_column_is_true() -> None:
    said = column()
    assert said.keys() == set(option_names())
    assert {option for option, words in said.items() if words == "refused"} == REFUSED.keys()
    shown = SEEN.keys() | SEEN_OF_CLIPS.keys() | SEEN_OF_FILMS.keys() | SHOWN_ELSEWHERE
    assert {option for option, words in said.items() if words == "✓"} == shown


@pytest.mark.parametrize("option", sorted(REFUSED))
def test_refused(option: str) -> None:
    default = {field.name: field.default for field in fields(PairOptions)}[option]
    assert REFUSED[option] != default
    named = "smile" if option == "edit" else option  # it has become the values of its controls
    options = make_options({option: REFUSED[option]}, "row 7")
    check_options(options, LIVEPORTRAIT, "human", "row 7")
    with pytest.raises(RefusedError, match=rf"row 7: {named}=.* has no effect on animals"):
        check_options(options, LIVEPORTRAIT, "animal", "row 7")


@pytest.mark.parametrize("values", [{"driving_crop_scale": 1.5}, {"driving_crop_vy": 0.0}])
def test_values_without_effect_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match=rf"{next(iter(values))}=.* has no effect on animals"):
        check_options(make_options(values, "options"), LIVEPORTRAIT, "animal", "options")


@pytest.fixture(scope="module")
def animals() -> LivePortraitPipelineAnimal:
    return LivePortraitPipelineAnimal(weights="seeded", size="tiny")


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("animals")


@pytest.mark.slow
@pytest.mark.parametrize("option", sorted(SEEN))
def test_seen_with_a_template(
    animals: LivePortraitPipelineAnimal, generated: Generated, output: Path, option: str
) -> None:
    value, base = SEEN[option]
    inputs = (generated.cat, generated.template, output)
    without, with_it = (animals.animate(*inputs, box=CAT_BOX, end_s=0.2, **o) for o in (base, base | {option: value}))
    assert without["sha256"] != with_it["sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("option", sorted(SEEN_OF_CLIPS))
def test_seen_with_a_clip(animals: LivePortraitPipelineAnimal, generated: Generated, output: Path, option: str) -> None:
    value, base = SEEN_OF_CLIPS[option]
    inputs = (generated.cat, generated.clip, output)
    without, with_it = (animals.animate(*inputs, box=CAT_BOX, **MOVING, **o) for o in (base, base | {option: value}))
    assert without["sha256"] != with_it["sha256"]
    assert without["has_audio"] and with_it["has_audio"] == (option != "audio")


@pytest.mark.slow
def test_comparison_and_picture_drivings(
    animals: LivePortraitPipelineAnimal, generated: Generated, output: Path
) -> None:
    inputs = (generated.cat, generated.still, output)
    row = animals.animate(*inputs, box=CAT_BOX, comparison=True)
    assert (row["kind"], row["n_frames"]) == ("image", 1)
    assert Path(row["comparison_uri"].removeprefix("file://")).is_file()


def test_each_picture_moves_an_animal_in_its_own_way(
    animals: LivePortraitPipelineAnimal, media: Path, generated: Generated, output: Path
) -> None:
    drivings = [media / "driving" / name for name in ("d30.jpg", "d9.jpg")]
    rows = [animals.animate(generated.cat, driving, output, box=CAT_BOX) for driving in drivings]
    assert rows[0]["sha256"] != rows[1]["sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("option", sorted(SEEN_OF_FILMS))
def test_seen_with_a_film(animals: LivePortraitPipelineAnimal, generated: Generated, output: Path, option: str) -> None:
    value, base = SEEN_OF_FILMS[option]
    inputs = (generated.cat_film, generated.template, output)
    without, with_it = (animals.animate(*inputs, box=CAT_BOX, end_s=0.3, **o) for o in (base, base | {option: value}))
    assert without["sha256"] != with_it["sha256"]


def test_crops_are_turned_as_nine_points_stand_unless_told_not_to(generated: Generated) -> None:
    """`flag_do_rot`: eyes right of the picture above those left of it."""
    image = read_image(generated.cat, Limits())
    points = np.array([[40, 0], [30, 5], [10, 15], [0, 20], [25, 30], [40, 40], [20, 50], [30, 42], [32, 48]], float)
    face = Face(points * 5 + 400, 0.9)
    turned, upright = (crop_face(image, face, SourceFraming(rotate=rotate), 256).to_crop for rotate in (True, False))
    assert abs(upright[0, 1]) < 1e-9 < 0.2 < abs(turned[0, 1] / turned[0, 0])
