"""The library: the job's stages without Ray, every option of a pair, one call each."""

from __future__ import annotations

import itertools
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lp_ray import LivePortraitPipeline, LivePortraitPipelineAnimal, PairFailedError
from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.face.compare import fit
from lp_ray.media.clip import Clip, Still, open_footage
from lp_ray.media.images import read_image, write_image

S9_SIZE = (720, 1280)


@pytest.fixture(scope="session")
def people() -> LivePortraitPipeline:
    return LivePortraitPipeline(weights="seeded", size="tiny")


@pytest.fixture(scope="session")
def preview() -> LivePortraitPipeline:
    return LivePortraitPipeline(engine="preview")


@pytest.fixture(scope="session")
def s9(media: Path) -> Path:
    return media / "source" / "s9.jpg"


@pytest.fixture(scope="session")
def s13(media: Path) -> Path:
    return media / "source" / "s13.mp4"


@pytest.fixture(scope="session")
def d0(media: Path) -> Path:
    return media / "driving" / "d0.mp4"


def footage(uri: str) -> Clip | Still:
    return open_footage(Path(uri.removeprefix("file://")), Limits())


def pictures(row: dict[str, Any], column: str = "video_uri") -> list[Image]:
    return list(footage(row[column]).frames())


def test_ray_and_torch_are_not_needed(d0: Path, s9: Path, tmp_path: Path) -> None:
    """A single preview pair in a fresh interpreter imports neither."""
    code = (
        "import sys; from lp_ray import LivePortraitPipeline as P;"
        f"row = P(engine='preview').animate({str(s9)!r}, {str(d0)!r}, {str(tmp_path)!r}, end_s=0.1);"
        "assert row['n_frames'] == 3; assert not {'ray', 'torch'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_pair_that_is_done_is_not_made_again(
    preview: LivePortraitPipeline, s9: Path, d0: Path, tmp_path: Path
) -> None:
    first = preview.animate(s9, d0, tmp_path, end_s=0.2)
    again = preview.animate(s9, d0, tmp_path, end_s=0.2)
    assert again == first
    other = preview.animate(s9, d0, tmp_path, end_s=0.2, flag_pasteback=False)
    assert other["pair_id"] != first["pair_id"] and (other["width"], other["height"]) == (512, 512)
    assert len(list((tmp_path / "templates").glob("*.npz"))) == 1, "the motion template is shared"


def test_what_fails_says_why(people: LivePortraitPipeline, s9: Path, d0: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(PairFailedError, match="source: UnreadableMediaError: ") as failed:
        people.animate(tmp_path / "text.jpg", d0, tmp_path / "o", end_s=0.1)
    assert failed.value.row["status"] == "failed"
    with pytest.raises(PairFailedError, match="plan: MissingInputError"):
        people.animate(tmp_path / "none.jpg", d0, tmp_path / "o")
    with pytest.raises(RefusedError, match=r"options: crf=99 must be between"):
        people.animate(s9, d0, tmp_path / "o", crf=99)
    with pytest.raises(RefusedError, match=r"unknown option 'crff' \(did you mean 'crf'"):
        people.animate(s9, d0, tmp_path / "o", crff=9)
    with pytest.raises(RefusedError, match="detectr: no such setting"):
        LivePortraitPipeline(detectr="x")


def test_a_picture_under_a_videos_name_and_the_reverse(
    preview: LivePortraitPipeline, s9: Path, s13: Path, d0: Path, tmp_path: Path
) -> None:
    (tmp_path / "picture.mp4").write_bytes(s9.read_bytes())
    (tmp_path / "video.jpg").write_bytes(s13.read_bytes())
    with pytest.raises(PairFailedError, match="media='image'"):
        preview.animate(tmp_path / "picture.mp4", d0, tmp_path / "o", end_s=0.1)
    with pytest.raises(PairFailedError, match="media='video'"):
        preview.animate(tmp_path / "video.jpg", d0, tmp_path / "o", end_s=0.1)


@pytest.mark.parametrize(("policy", "n_frames"), [("min", 10), ("loop", 103), ("ping-pong", 103), ("hold", 103)])
def test_a_driving_shorter_than_a_source_video(
    preview: LivePortraitPipeline, s13: Path, media: Path, tmp_path: Path, policy: str, n_frames: int
) -> None:
    """0.4 s of 30 frames a second over a video of 25: by time, never by counting frames."""
    row = preview.animate(
        s13,
        media / "driving" / "d10.mp4",
        tmp_path,
        end_s=0.4,
        driving_length=policy,
        paste_back=False,
        preset="ultrafast",
    )
    assert row["n_frames"] == n_frames and row["fps"] == {"numerator": 25, "denominator": 1}
    if policy == "hold":
        frames = pictures(row)
        moves = [float(np.abs(a.astype(int) - b).mean()) for a, b in itertools.pairwise(frames[10:])]
        assert max(moves) > 0, "the source video itself moves on"


def test_frames_are_an_archive_of_pngs(preview: LivePortraitPipeline, s9: Path, d0: Path, tmp_path: Path) -> None:
    row = preview.animate(s9, d0, tmp_path, end_s=1.5, format="frames", paste_back=False)
    assert row["kind"] == "frames" and row["n_frames"] == 38 and not row["has_audio"]
    with zipfile.ZipFile(row["video_uri"].removeprefix("file://")) as archive:
        assert archive.namelist() == [f"{i:06d}.png" for i in range(38)]


def test_a_gif_has_the_drivings_length(preview: LivePortraitPipeline, s9: Path, d0: Path, tmp_path: Path) -> None:
    row = preview.animate(s9, d0, tmp_path, end_s=0.8, format="gif", paste_back=False)
    assert row["kind"] == "gif" and row["video_uri"].endswith(".gif")
    clip = footage(row["video_uri"])
    assert abs(clip.n_frames / clip.fps - Fraction(8, 10)) <= Fraction(2, 100)


def test_side_by_side(
    preview: LivePortraitPipeline, s9: Path, s13: Path, d0: Path, media: Path, tmp_path: Path
) -> None:
    """Driving, source and result in a row; a template has no picture; the result panel is the result's crop."""
    row = preview.animate(s9, d0, tmp_path, end_s=0.2, comparison=True, paste_back=False, crf=8)
    (shown, *_), (result, *_) = pictures(row, "comparison_uri"), pictures(row)
    assert shown.shape == (512, 1536, 3)
    driving = next(open_footage(d0, Limits()).frames())
    assert np.abs(shown[:, :512].astype(int) - driving).mean() < 6, "a square driving is shown whole"
    assert np.abs(shown[:, 1024:].astype(int) - result).mean() < 3
    own = preview.animate(s9, row["template_uri"].removeprefix("file://"), tmp_path, comparison=True)
    assert pictures(own, "comparison_uri")[0].shape == (512, 1024, 3)
    video = preview.animate(s13, media / "driving" / "d30.jpg", tmp_path, comparison=True, driving_length="min")
    assert len(pictures(video, "comparison_uri")) == 103
    still = preview.animate(s9, media / "driving" / "d30.jpg", tmp_path, comparison=True)
    assert still["comparison_uri"].endswith(".png") and pictures(still, "comparison_uri")[0].shape == (512, 1536, 3)


@pytest.mark.parametrize(("audio", "sound"), [("driving", True), ("source", True), ("none", False)])
def test_sound_by_priority(
    preview: LivePortraitPipeline, s13: Path, d0: Path, tmp_path: Path, audio: str, sound: bool
) -> None:
    """A silent driving leaves the word to the source video, unless no sound is wanted."""
    row = preview.animate(s13, d0, tmp_path, end_s=0.2, audio=audio)
    assert row["has_audio"] is sound and footage(row["video_uri"]).has_audio is sound


def test_all_faces_move(preview: LivePortraitPipeline, media: Path, tmp_path: Path) -> None:
    """Two faces in one picture: both move, each in its place; what lies around them stays."""
    one = fit(read_image(media / "source" / "s9.jpg", Limits()), 640)
    two = np.hstack([one, one[:, ::-1]])
    write_image(tmp_path / "two.png", two)
    row = preview.animate(
        tmp_path / "two.png",
        media / "driving" / "d3.mp4",
        tmp_path,
        face="all",
        start_s=1,
        end_s=2,
        crf=8,
        source_max_dim=1280,
    )
    frames = pictures(row)
    moved = [
        np.abs(frames[-1].astype(int) - frames[0]).mean(2),
        np.abs(frames[len(frames) // 2].astype(int) - frames[0]).mean(2),
    ]
    left, right = (max(float(m[:, part].mean()) for m in moved) for part in (slice(0, 640), slice(640, None)))
    assert min(left, right) > 0.3 and max(left, right) < 3 * min(left, right)
    alone = preview.animate(
        tmp_path / "two.png",
        media / "driving" / "d3.mp4",
        tmp_path,
        face="0",
        start_s=1,
        end_s=2,
        crf=8,
        source_max_dim=1280,
    )
    still = pictures(alone)
    assert np.abs(still[-1][:, 700:].astype(int) - still[0][:, 700:]).mean() < 0.3


def test_the_sources_own_size_is_told(preview: LivePortraitPipeline, s9: Path, d0: Path, tmp_path: Path) -> None:
    row = preview.animate(s9, d0, tmp_path, end_s=0.1, source_max_dim=640)
    assert (row["source_width"], row["source_height"]) == S9_SIZE
    assert (row["width"], row["height"]) == (360, 640)


def test_a_box_is_in_the_pictures_own_pixels(preview: LivePortraitPipeline, media: Path, tmp_path: Path) -> None:
    """However much the picture shrinks, the box means the same face."""
    group = media / "source" / "s9.jpg"
    whole = preview.animate(group, media / "driving" / "d30.jpg", tmp_path, box=[180, 250, 520, 700], paste_back=False)
    small = preview.animate(
        group, media / "driving" / "d30.jpg", tmp_path, box=[180, 250, 520, 700], paste_back=False, source_max_dim=720
    )
    a, b = (cv2.resize(pictures(row)[0], (64, 64), interpolation=cv2.INTER_AREA) for row in (whole, small))
    assert np.abs(a.astype(int) - b).mean() < 4


MOTION: list[dict[str, Any]] = [
    {"animation_region": "exp"},
    {"animation_region": "lip"},
    {"flag_relative_motion": False},
    {"flag_stitching": False},
    {"flag_eye_retargeting": True},
    {"flag_lip_retargeting": True},
    {"flag_normalize_lip": True},
    {"driving_multiplier": 0.5},
    {"driving_reference": "3"},
    {"driving_reference": "neutral", "end_s": 0.4},
    {"flag_crop_driving_video": True},
    {"flag_crop_driving_video": True, "driving_crop_scale": 3.0},
    {"crop_scale": 2.0},
    {"crop_vx": 0.1},
    {"crop_vy": 0.0},
    {"flag_do_rot": False},
    {"flag_do_crop": False},
]


def test_every_motion_option_changes_the_frames(people: LivePortraitPipeline, media: Path, tmp_path: Path) -> None:
    """None of them is accepted and then ignored: all results differ. The source's lips are open, for their sake."""
    driving = media / "driving" / "d3.mp4"
    source = tmp_path / "speaking.png"
    write_image(source, next(open_footage(driving, Limits()).frames()))
    shas = {}
    for options in [{}, *MOTION]:
        given = {"end_s": 0.2, "paste_back": False, "preset": "ultrafast", **options}
        shas[str(options)] = people.animate(source, driving, tmp_path, **given)["sha256"]
    twins = [way for way, sha in shas.items() if list(shas.values()).count(sha) > 1]
    assert not twins


def test_options_of_source_videos_change_the_frames(
    people: LivePortraitPipeline, s13: Path, media: Path, tmp_path: Path
) -> None:
    driving = media / "driving" / "d3.mp4"
    ways: list[dict[str, Any]] = [
        {},
        {"driving_smooth_observation_variance": 1e-3},
        {"flag_source_video_eye_retargeting": True},
        {"flag_relative_motion": False},
    ]
    rows = [people.animate(s13, driving, tmp_path, end_s=0.2, paste_back=False, **way) for way in ways]
    assert len({row["sha256"] for row in rows}) == len(ways)


def test_a_source_video_does_not_depend_on_how_it_is_cut(s13: Path, media: Path, tmp_path: Path) -> None:
    """Smoothing sees the whole pair, whatever the chunks."""
    frames = []
    for chunk in (4, 32):
        pipeline = LivePortraitPipeline(weights="seeded", size="tiny", chunk_frames=chunk)
        row = pipeline.animate(
            s13, media / "driving" / "d3.mp4", tmp_path / str(chunk), end_s=0.4, format="frames", paste_back=False
        )
        with zipfile.ZipFile(row["video_uri"].removeprefix("file://")) as archive:
            frames.append([archive.read(name) for name in archive.namelist()])
    assert frames[0] == frames[1] and len(frames[0]) == 10


def test_animals(media: Path, tmp_path: Path) -> None:
    pipeline = LivePortraitPipelineAnimal(weights="seeded", size="tiny")
    wink = media / "templates" / "wink.pkl"
    row = pipeline.animate(media / "source" / "s39.jpg", wink, tmp_path, box=[330, 120, 760, 560], end_s=0.2)
    assert row["n_frames"] == 5
    assert row["licences"] == [], "seeded weights have none, and no detector looked"
    with pytest.raises(RefusedError, match=r"xpose\.weights: .*jobs\.weights pull"):
        pipeline.animate(media / "source" / "s39.jpg", wink, tmp_path)
    with pytest.raises(RefusedError, match="animation_region='lip' has no effect on animals"):
        pipeline.animate(media / "source" / "s39.jpg", wink, tmp_path, animation_region="lip")
