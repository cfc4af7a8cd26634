"""Pairs that differ only in options without effect share one result, and each row names those options."""

from __future__ import annotations

from pathlib import Path

import pytest
import skimage.data

from lp_ray import LivePortraitPipeline
from lp_ray.media.images import write_image
from tests.running import Performances


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "astronaut.png"
    write_image(path, skimage.data.astronaut())
    return path


def test_what_the_kinds_of_inputs_tell_is_out_of_the_key(
    picture: Path, performances: Performances, tmp_path: Path
) -> None:
    """A source picture's pair is the same with and without options of source videos; nothing is made again."""
    preview = LivePortraitPipeline(engine="preview")
    inputs = (picture, performances.talk, tmp_path)
    first = preview.animate(*inputs, end_s=0.1, paste_back=False, driving_length="loop", audio="source")
    assert first["options_without_effect"] == [
        "driving_length=loop: the source is a picture",
        "audio=source: the source is a picture, which has no sound",
    ]
    plain = preview.animate(*inputs, end_s=0.1, paste_back=False)
    assert (plain["pair_id"], plain["finished_at"]) == (first["pair_id"], first["finished_at"])
    other = preview.animate(*inputs, end_s=0.1, paste_back=False, crf=30)
    assert other["pair_id"] != first["pair_id"] and other["options_without_effect"] is None


def test_what_the_driving_itself_tells_is_in_its_row(picture: Path, performances: Performances, tmp_path: Path) -> None:
    """One frame makes a PNG, which has no quality and no sound; a square driving is not cropped unless asked."""
    people = LivePortraitPipeline(weights="seeded", size="tiny")
    still = people.animate(picture, picture, tmp_path, crf=30, audio="none", driving_reference="neutral")
    assert still["kind"] == "image" and still["options_without_effect"] == [
        "driving_reference=neutral: the driving is one frame, its most neutral one",
        "audio=none: the result is one PNG",
        "crf=30: the result is one PNG",
    ]
    inputs = (picture, performances.talk, tmp_path)  # 512 x 512
    whole = people.animate(*inputs, end_s=0.04, paste_back=False, driving_crop_scale=1.5)
    assert whole["options_without_effect"] == [
        "driving_crop_scale=1.5: a square driving is taken whole without flag_crop_driving_video",
    ]
    cropped = people.animate(
        *inputs, end_s=0.08, paste_back=False, driving_crop_scale=1.5, flag_crop_driving_video=True
    )
    assert cropped["options_without_effect"] is None
