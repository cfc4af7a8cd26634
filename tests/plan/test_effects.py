"""Options without effect are removed before pairs get their keys; what is said about cropping is true."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lp_ray.contract.effects import PairFacts
from lp_ray.contract.normalise import normalise_options
from lp_ray.contract.options import PairOptions
from lp_ray.face.portrait import crop_box, crop_whole
from lp_ray.plan.effects import normalise_pairs
from lp_ray.plan.framing import source_framing
from lp_ray.plan.pairing import Pairs, pair_up
from lp_ray.plan.planning import Identity
from lp_ray.plan.work import DrivingRef

VIDEOS = np.array([False, True, False])
BOXES = np.array([False, False, True])
TEMPLATES = np.array([False, True])
PERFORMANCES = np.array([False, False])
NO_CASTS = np.array([False, False])
SOUNDS = np.array([False, False])
LOOPED = PairOptions(driving_length="loop", driving_crop_scale=2.5, crf=20)


def test_each_pair_gets_the_options_that_act_in_it() -> None:
    """Looping applies only to source videos, a driving crop only if the driving is not a template, crf to all pairs."""
    pairs = pair_up("cross", 3, 2, LOOPED)
    made, said = normalise_pairs(pairs, VIDEOS, BOXES, TEMPLATES, PERFORMANCES, NO_CASTS, SOUNDS, animal=False)
    np.testing.assert_array_equal(made.source_index, pairs.source_index)
    np.testing.assert_array_equal(made.driving_index, pairs.driving_index)
    chosen = [made.option_sets[index] for index in made.option_index.tolist()]
    for pair, options in enumerate(chosen):
        video, template = bool(VIDEOS[pair // 2]), bool(TEMPLATES[pair % 2])
        assert options.driving_length == ("loop" if video else "min")
        assert options.driving_crop_scale == (2.2 if template else 2.5)
        assert options.crf == 20
    assert said == {
        "driving_length=loop: the source is a picture": 4,
        "driving_crop_scale=2.5: the driving is a motion template": 3,
    }
    assert len(set(made.option_sets)) == len(made.option_sets) == 4


def test_pairs_are_normalised_as_one_by_one() -> None:
    """Many pairs are normalised together by type; each gets the same result as it would alone."""
    random = np.random.default_rng(3)
    sets = tuple(
        PairOptions(
            audio=audio,
            flag_do_crop=crop,
            paste_back=False,
            flag_do_rot=False,
            driving_crop_vx=vx,
            flag_relative_motion=vx > 0,
        )
        for audio, crop, vx in product(("driving", "source", "none"), (True, False), (0.0, 0.2))
    )
    n, templates, performances = 5000, np.array([False, True, True, True]), np.array([False, False, True, True])
    casts, sounds = np.zeros(4, np.bool_), np.array([False, False, False, True])
    pairs = Pairs(random.integers(0, 3, n), random.integers(0, 4, n), random.integers(0, len(sets), n), sets)
    for animal in (False, True):
        made, _ = normalise_pairs(pairs, VIDEOS, BOXES, templates, performances, casts, sounds, animal)
        for pair in range(0, n, 7):
            source, driving = pairs.source_index[pair], pairs.driving_index[pair]
            of_driving = bool(templates[driving]), bool(performances[driving])
            facts = PairFacts(
                bool(VIDEOS[source]), bool(BOXES[source]), *of_driving, animal, driving_sound=bool(sounds[driving])
            )
            alone = normalise_options(sets[pairs.option_index[pair]], facts)
            assert made.option_sets[made.option_index[pair]] == alone


@pytest.mark.parametrize("name", ["crop_scale", "crop_vx", "crop_vy", "flag_do_rot"])
def test_a_source_that_is_a_crop_already_is_cut_the_same_whatever_the_crop_options(name: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 90, 3), np.uint8)
    whole = PairOptions(flag_do_crop=False, paste_back=False)
    other = replace(whole, **{name: False if name == "flag_do_rot" else 1.0})
    assert normalise_options(other, PairFacts()) == whole
    one, two = (crop_whole(image, source_framing(options), 64) for options in (whole, other))
    np.testing.assert_array_equal(one.crop, two.crop)
    np.testing.assert_array_equal(one.to_crop, two.to_crop)


def test_an_animals_box_is_cut_upright_whatever_flag_do_rot() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 90, 3), np.uint8)
    one, two = (
        crop_box(image, (10.0, 20.0, 60.0, 80.0), source_framing(PairOptions(flag_do_rot=turned)), 64)
        for turned in (True, False)
    )
    np.testing.assert_array_equal(one.crop, two.crop)


def place(options: PairOptions, square: bool, animal: bool) -> bytes:
    """Where a driving of 200 pixels' width is cropped, as the plan asks for it; b"" where it is taken whole."""
    points = np.random.default_rng(1).uniform(60, 140, (4, 478, 3))
    identity = Identity("", "", variant="animal" if animal else "human")
    framing = identity.driving_clip(DrivingRef("", "clip.mp4", "best", None, None), options).driving
    assert framing is not None
    matrix = framing.place(points, 200, 200 if square else 160, 256).matrix
    return b"" if matrix is None else matrix.tobytes()


@pytest.mark.parametrize(
    "name", ["driving_crop_scale", "driving_crop_vx", "driving_crop_vy", "flag_crop_driving_video"]
)
def test_options_of_driving_crops_act_where_the_declarations_say(name: str) -> None:
    """Square or not, cropped on request or not, of people and of animals."""
    for square, asked, animal in product((False, True), repeat=3):
        facts = PairFacts(driving_square=square, animal=animal)
        plain = PairOptions(flag_crop_driving_video=asked and name != "flag_crop_driving_video")
        value = {"driving_crop_scale": 1.5, "flag_crop_driving_video": True}.get(name, 0.3)
        other = replace(plain, **{name: value})
        acts = place(plain, square, animal) != place(other, square, animal)
        assert acts == (getattr(normalise_options(other, facts), name) == value)
