"""`alpha=keep` through the library: what is transparent in a source, and what of that in its result."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lp_ray import LivePortraitPipeline, LivePortraitPipelineAnimal
from lp_ray.base.arrays import AlphaImage, Image
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.formats import FORMATS
from lp_ray.media.alpha import joined, on_white, over_white, straight
from lp_ray.media.clip import open_clip
from lp_ray.media.formats.protocol import Encoding
from lp_ray.media.images import read_image, write_image
from lp_ray.media.probe import probe_video
from tests.generated import CAT_BOX, Generated

pytestmark = pytest.mark.slow

KEEP = {"alpha": "keep"}
CUT = {"end_s": 0.2}
MOVED = {"head_roll": 15.0, "head_yaw": -12.0}
SIDE = 720
PLACE = slice(100, 580), slice(180, 540)
"""Where the portrait stands in the picture: its crop does not reach the corners."""
CORNERS = (slice(0, 60), slice(0, 60)), (slice(660, 720), slice(660, 720)), (slice(660, 720), slice(0, 60))


def head(portrait: Image) -> AlphaImage:
    """A portrait (480 x 360) cut out along a soft ellipse around the head."""
    fade = np.zeros(portrait.shape[:2], np.uint8)
    cv2.ellipse(fade, (185, 115), (82, 98), 0, 0, 360, 255, -1)
    return joined(portrait, np.asarray(cv2.GaussianBlur(fade, (0, 0), 3), np.uint8))


@pytest.fixture(scope="module")
def portrait(generated: Generated) -> Image:
    return read_image(generated.portrait, Limits())


@pytest.fixture(scope="module")
def source(portrait: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The head on nothing, and in the corners every opacity that there is."""
    picture = np.zeros((SIDE, SIDE, 4), np.uint8)
    for corner in CORNERS:
        picture[corner] = np.random.default_rng(3).integers(0, 256, (60, 60, 4), np.uint8)
    picture[PLACE] = head(portrait)
    path = tmp_path_factory.mktemp("alpha") / "head.png"
    write_image(path, picture)
    return path


@pytest.fixture(scope="module")
def film(generated: Generated, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source video that is transparent but for a soft ellipse, which wanders."""
    frames, path = list(open_clip(generated.film, Limits()).frames(0, 12)), tmp_path_factory.mktemp("film") / "f.mov"
    masks = []
    for i in range(len(frames)):
        fade = np.zeros(frames[0].shape[:2], np.uint8)
        cv2.ellipse(fade, (120 + i, 160), (85, 115), 0, 0, 360, 255, -1)
        masks.append(np.asarray(cv2.GaussianBlur(fade, (0, 0), 2), np.uint8))
    pictures = (straight(on_white(joined(frame, mask))) for frame, mask in zip(frames, masks, strict=True))
    FORMATS.get("mov").write_segment(path, pictures, Encoding(Fraction(25), 0, 18, "veryfast", "x264"))
    return path


@pytest.fixture(scope="module")
def preview() -> LivePortraitPipeline:
    return LivePortraitPipeline(engine="preview")


@pytest.fixture(scope="module")
def people() -> LivePortraitPipeline:
    return LivePortraitPipeline(weights="seeded", size="tiny")


def same(made: Sequence[Image], again: Sequence[Image]) -> bool:
    return len(made) == len(again) and all(np.array_equal(a, b) for a, b in zip(made, again, strict=True))


def test_outside_of_the_crop_the_source_stays_and_inside_it_moves(preview: LivePortraitPipeline, source: Path) -> None:
    own = read_image(source, Limits(), alpha=True)
    (made,) = preview.frames(source, "none", **KEEP, **MOVED)
    (shown,) = preview.frames(source, "none", **MOVED)
    assert made.shape == (SIDE, SIDE, 4)
    for corner in CORNERS:
        np.testing.assert_array_equal(made[corner][..., 3], own[corner][..., 3])
        np.testing.assert_array_equal(over_white(made[corner]), over_white(own[corner]))
    moved = np.abs(made[..., 3].astype(int) - own[..., 3]) > 100
    assert moved.sum() > 300
    difference = np.abs(over_white(made).astype(int) - shown).max(-1)
    assert (difference > 6).mean() < 1e-4, "over white it is the result without the option"
    # An outline that stayed would let the white of the wall through where the head has moved away.
    stayed = straight(joined(shown, own[..., 3]))
    assert _white_seam(made) * 20 < _white_seam(stayed)


def _white_seam(picture: AlphaImage) -> int:
    """How many opaque pixels near the outline are white."""
    outline = cv2.morphologyEx(picture[..., 3], cv2.MORPH_GRADIENT, np.ones((15, 15), np.uint8)) > 100
    white = (picture[..., :3].min(-1) > 250) & (picture[..., 3] > 200)
    inside = np.zeros_like(white)
    inside[PLACE] = True
    return int((outline & white & inside).sum()) + 1


def test_a_face_at_rest_is_its_source(preview: LivePortraitPipeline, source: Path) -> None:
    own = read_image(source, Limits(), alpha=True)
    (made,) = preview.frames(source, "none", **KEEP)
    np.testing.assert_array_equal(made, straight(on_white(own)))


def test_networks_leave_it_in_its_place(people: LivePortraitPipeline, source: Path, generated: Generated) -> None:
    own = read_image(source, Limits(), alpha=True)
    made = list(people.frames(source, generated.template, **KEEP, **CUT))
    plain = list(people.frames(source, generated.template, **CUT))
    for kept, shown in zip(made, plain, strict=True):
        np.testing.assert_array_equal(kept[..., 3], own[..., 3])
        opaque = own[..., 3] == 255
        np.testing.assert_array_equal(kept[opaque][:, :3], shown[opaque])


@pytest.mark.parametrize("engine", ["preview", "people"])
def test_the_crop_alone_has_it_too(
    engine: str, request: pytest.FixtureRequest, source: Path, generated: Generated
) -> None:
    pipeline = request.getfixturevalue(engine)
    made = list(pipeline.frames(source, generated.clip, paste_back=False, **KEEP, **CUT))
    assert {frame.shape for frame in made} == {(512, 512, 4)}
    assert all((frame[..., 3] == 0).mean() > 0.1 and (frame[..., 3] == 255).mean() > 0.1 for frame in made)


@pytest.mark.parametrize("engine", ["preview", "people"])
def test_a_source_without_any_is_opaque(
    engine: str, request: pytest.FixtureRequest, generated: Generated, portrait: Image
) -> None:
    """Cut so that its crop reaches past the picture, too."""
    pipeline = request.getfixturevalue(engine)
    for options in ({}, {"paste_back": False, "crop_scale": 3.5}):
        made = list(pipeline.frames(generated.portrait, generated.clip, **options, **KEEP, **CUT))
        plain = list(pipeline.frames(generated.portrait, generated.clip, **options, **CUT))
        assert all((frame[..., 3] == 255).all() for frame in made)
        assert same([frame[..., :3] for frame in made], plain)


@pytest.mark.parametrize("engine", ["preview", "people"])
def test_a_source_video_keeps_it_however_it_is_cut_into_chunks(
    engine: str, request: pytest.FixtureRequest, film: Path, generated: Generated
) -> None:
    settings: dict[str, Any] = {"engine": "preview"} if engine == "preview" else {"weights": "seeded", "size": "tiny"}
    whole = list(request.getfixturevalue(engine).frames(film, generated.clip, **KEEP))
    own = list(open_clip(film, Limits()).frames(alpha=True))
    assert len(whole) == len(own) == 12
    for made, frame in zip(whole, own, strict=True):
        assert made.shape == frame.shape
        if engine == "people":
            np.testing.assert_array_equal(made[..., 3], frame[..., 3])
        np.testing.assert_array_equal(made[:10, :, 3], frame[:10, :, 3])
    for chunk in (1, 5) if engine == "preview" else (5,):
        pieces = LivePortraitPipeline(**settings, chunk_frames=chunk).frames(film, generated.clip, **KEEP)
        assert same(whole, list(pieces)), chunk


def test_all_faces_of_a_picture_move_theirs(
    preview: LivePortraitPipeline, portrait: Image, generated: Generated, tmp_path: Path
) -> None:
    picture = np.hstack([head(portrait), head(portrait)[:, ::-1]])
    write_image(tmp_path / "two.png", picture)
    moved = {"face": "all", **MOVED}
    (made,) = preview.frames(tmp_path / "two.png", "none", **KEEP, **moved)
    changed = np.abs(made[..., 3].astype(int) - picture[..., 3]) > 100
    assert changed[:, :360].sum() > 300 and changed[:, 360:].sum() > 300


def test_an_animal_keeps_it_in_its_place(generated: Generated, tmp_path: Path) -> None:
    cat = read_image(generated.cat, Limits())
    picture = joined(cat, np.repeat(np.linspace(0, 255, cat.shape[1]).astype(np.uint8)[None], len(cat), 0))
    write_image(tmp_path / "cat.png", picture)
    pipeline = LivePortraitPipelineAnimal(weights="seeded", size="tiny")
    made = list(pipeline.frames(tmp_path / "cat.png", generated.template, box=CAT_BOX, **KEEP, end_s=0.1))
    height, width = made[0].shape[:2]
    assert all(np.array_equal(frame[..., 3], picture[:height, :width, 3]) for frame in made)


def test_auto_is_a_format_that_holds_it(
    preview: LivePortraitPipeline, source: Path, generated: Generated, tmp_path: Path
) -> None:
    """WebM of a clip, with its sound and its comparison; PNG of a picture. What is done is not made again."""
    row = preview.animate(source, generated.clip, tmp_path, comparison=True, encoder="x264", **KEEP, **CUT)
    assert (row["kind"], row["has_audio"], row["digital_source_type"]) == ("webm", True, "algorithmicallyEnhanced")
    path = Path(row["video_uri"].removeprefix("file://"))
    assert path.suffix == ".webm" and probe_video(path, Limits()).has_alpha
    compared = Path(row["comparison_uri"].removeprefix("file://"))
    assert compared.suffix == ".mp4" and not probe_video(compared, Limits()).has_alpha
    again = preview.animate(source, generated.clip, tmp_path, comparison=True, **KEEP, **CUT)
    assert again["finished_at"] == row["finished_at"]
    row = preview.animate(source, "none", tmp_path, **KEEP, **MOVED)
    assert row["kind"] == "image"
    made = read_image(Path(row["video_uri"].removeprefix("file://")), Limits(), alpha=True)
    (frame,) = preview.frames(source, "none", **KEEP, **MOVED)
    np.testing.assert_array_equal(made, frame)


def test_formats_that_cannot_hold_it_are_refused_with_their_row(
    preview: LivePortraitPipeline, source: Path, generated: Generated, tmp_path: Path
) -> None:
    for name in ("mp4", "gif"):
        with pytest.raises(
            RefusedError, match=f"format='{name}' cannot hold alpha='keep': use one of frames, png, webm"
        ):
            preview.animate(source, generated.clip, tmp_path, format=name, **KEEP)
    pairs = [{"source_id": "s", "driving_id": "d", "format": name, **KEEP} for name in ("webm", "gif")]
    tables = [{"uri": str(source), "source_id": "s"}], [{"uri": str(generated.clip), "driving_id": "d"}]
    with pytest.raises(RefusedError, match="pairs manifest row 1: format='gif' cannot hold"):
        preview.animate_many(*tables, tmp_path, pairs=pairs)
