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

from lp_ray import ArrayClip, LivePortraitPipeline, LivePortraitPipelineAnimal, PairFailedError
from lp_ray.acting.curves import ONSET_S
from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.face.compare import fit
from lp_ray.media.clip import Clip, Still, open_footage
from lp_ray.media.images import read_image, write_image
from tests.generated import CAT_BOX, FILM_FRAMES, PORTRAIT_SIZE, Generated
from tests.media.tones import make_tones, pitch_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def people() -> LivePortraitPipeline:
    return LivePortraitPipeline(weights="seeded", size="tiny")


@pytest.fixture(scope="session")
def preview() -> LivePortraitPipeline:
    return LivePortraitPipeline(engine="preview")


@pytest.fixture(scope="session")
def portrait(generated: Generated) -> Path:
    return generated.portrait


@pytest.fixture(scope="session")
def film(generated: Generated) -> Path:
    """A source video with sound."""
    return generated.film


@pytest.fixture(scope="session")
def silent(generated: Generated) -> Path:
    """A driving without sound, 25 frames a second."""
    return generated.silent_clip


def footage(uri: str) -> Clip | Still:
    return open_footage(Path(uri.removeprefix("file://")), Limits())


def pictures(row: dict[str, Any], column: str = "video_uri") -> list[Image]:
    return list(footage(row[column]).frames())


def test_ray_and_torch_are_not_needed(silent: Path, portrait: Path, tmp_path: Path) -> None:
    """A single preview pair in a fresh interpreter imports neither."""
    code = (
        "import sys; from lp_ray import LivePortraitPipeline as P;"
        f"row = P(engine='preview').animate({str(portrait)!r}, {str(silent)!r}, {str(tmp_path)!r}, end_s=0.1);"
        "assert row['n_frames'] == 3; assert not {'ray', 'torch'} & set(sys.modules), 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_pair_that_is_done_is_not_made_again(
    preview: LivePortraitPipeline, portrait: Path, silent: Path, tmp_path: Path
) -> None:
    first = preview.animate(portrait, silent, tmp_path, end_s=0.2)
    again = preview.animate(portrait, silent, tmp_path, end_s=0.2)
    assert again == first
    other = preview.animate(portrait, silent, tmp_path, end_s=0.2, flag_pasteback=False)
    assert other["pair_id"] != first["pair_id"] and (other["width"], other["height"]) == (512, 512)
    assert len(list((tmp_path / "templates").glob("*.npz"))) == 1, "the motion template is shared"


def test_what_fails_says_why(people: LivePortraitPipeline, portrait: Path, silent: Path, tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(PairFailedError, match="source: UnreadableMediaError: ") as failed:
        people.animate(tmp_path / "text.jpg", silent, tmp_path / "o", end_s=0.1)
    assert failed.value.row["status"] == "failed"
    with pytest.raises(PairFailedError, match="plan: MissingInputError"):
        people.animate(tmp_path / "none.jpg", silent, tmp_path / "o")
    with pytest.raises(RefusedError, match=r"options: crf=99 must be between"):
        people.animate(portrait, silent, tmp_path / "o", crf=99)
    with pytest.raises(RefusedError, match=r"unknown option 'crff' \(did you mean 'crf'"):
        people.animate(portrait, silent, tmp_path / "o", crff=9)
    with pytest.raises(RefusedError, match="detectr: no such setting"):
        LivePortraitPipeline(detectr="x")


def test_a_picture_under_a_videos_name_and_the_reverse(
    preview: LivePortraitPipeline, portrait: Path, film: Path, silent: Path, tmp_path: Path
) -> None:
    (tmp_path / "picture.mp4").write_bytes(portrait.read_bytes())
    (tmp_path / "video.jpg").write_bytes(film.read_bytes())
    with pytest.raises(PairFailedError, match="media='image'"):
        preview.animate(tmp_path / "picture.mp4", silent, tmp_path / "o", end_s=0.1)
    with pytest.raises(PairFailedError, match="media='video'"):
        preview.animate(tmp_path / "video.jpg", silent, tmp_path / "o", end_s=0.1)


@pytest.mark.parametrize(
    ("policy", "n_frames"), [("min", 10), *((policy, FILM_FRAMES) for policy in ("loop", "ping-pong", "hold"))]
)
def test_a_driving_shorter_than_a_source_video(
    preview: LivePortraitPipeline, film: Path, generated: Generated, tmp_path: Path, policy: str, n_frames: int
) -> None:
    """0.4 s of 30 frames a second over a video of 25: by time, never by counting frames."""
    row = preview.animate(
        film,
        generated.clip,
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


def test_frames_are_an_archive_of_pngs(
    preview: LivePortraitPipeline, portrait: Path, silent: Path, tmp_path: Path
) -> None:
    row = preview.animate(portrait, silent, tmp_path, end_s=1.5, format="frames", paste_back=False)
    assert row["kind"] == "frames" and row["n_frames"] == 38 and not row["has_audio"]
    with zipfile.ZipFile(row["video_uri"].removeprefix("file://")) as archive:
        assert archive.namelist() == [f"{i:06d}.png" for i in range(38)]


def test_a_gif_has_the_drivings_length(
    preview: LivePortraitPipeline, portrait: Path, silent: Path, tmp_path: Path
) -> None:
    row = preview.animate(portrait, silent, tmp_path, end_s=0.8, format="gif", paste_back=False)
    assert row["kind"] == "gif" and row["video_uri"].endswith(".gif")
    clip = footage(row["video_uri"])
    assert abs(clip.n_frames / clip.fps - Fraction(8, 10)) <= Fraction(2, 100)


def test_side_by_side(
    preview: LivePortraitPipeline, portrait: Path, film: Path, silent: Path, generated: Generated, tmp_path: Path
) -> None:
    """Driving, source and result in a row; a template has no picture; the result panel is the result's crop."""
    row = preview.animate(portrait, silent, tmp_path, end_s=0.2, comparison=True, paste_back=False, crf=8)
    (shown, *_), (result, *_) = pictures(row, "comparison_uri"), pictures(row)
    assert shown.shape == (512, 1536, 3)
    driving = fit(next(open_footage(silent, Limits()).frames()), 512)
    assert np.abs(shown[:, :512].astype(int) - driving).mean() < 6, "a square driving is shown whole"
    assert np.abs(shown[:, 1024:].astype(int) - result).mean() < 3
    own = preview.animate(portrait, row["template_uri"].removeprefix("file://"), tmp_path, comparison=True)
    assert pictures(own, "comparison_uri")[0].shape == (512, 1024, 3)
    video = preview.animate(film, generated.still, tmp_path, comparison=True, driving_length="min")
    assert len(pictures(video, "comparison_uri")) == FILM_FRAMES
    still = preview.animate(portrait, generated.still, tmp_path, comparison=True)
    assert still["comparison_uri"].endswith(".png") and pictures(still, "comparison_uri")[0].shape == (512, 1536, 3)


def test_many_pairs_are_one_call(preview: LivePortraitPipeline, portrait: Path, silent: Path, tmp_path: Path) -> None:
    """Each pair has its row, one that cannot be made too; a second call makes nothing again; options hold for all."""
    sources = [{"uri": portrait, "source_id": "here", "meta_set": "a"}, {"uri": "gone.jpg", "source_id": "gone"}]
    drivings = [{"uri": silent, "driving_id": "d", "end_s": 0.2}]
    table = preview.animate_many(sources, drivings, tmp_path, on_ray=False, scale=2.0)
    rows = {row["source_id"]: row for row in table.to_pylist()}
    assert {name: row["status"] for name, row in rows.items()} == {"here": "done", "gone": "failed"}
    assert rows["here"]["meta_set"] == "a" and '"crop_scale":2.0' in rows["here"]["options"].replace(" ", "")
    assert footage(rows["here"]["video_uri"]).n_frames == 5
    again = preview.animate_many(sources, drivings, tmp_path, on_ray=False, scale=2.0)
    assert again.sort_by("source_id").equals(table.sort_by("source_id"))
    pairs = [{"source_id": "here", "driving_id": "d", "crf": 40}]
    other = preview.animate_many(sources, drivings, tmp_path, pairs=pairs, on_ray=False).to_pylist()
    assert [row["status"] for row in other] == ["done"] and other[0]["pair_id"] != rows["here"]["pair_id"]
    with pytest.raises(RefusedError, match=r"pairs row 0: .*nobody|source_id='nobody'"):
        preview.animate_many(sources, drivings, tmp_path, pairs=[pairs[0] | {"source_id": "nobody"}], on_ray=False)


def test_a_format_of_one_picture_is_refused_for_several_before_any_is_made(
    preview: LivePortraitPipeline, portrait: Path, silent: Path, tmp_path: Path
) -> None:
    with pytest.raises(PairFailedError, match=r"plan: UnsupportedError: format=png holds one picture, .* 5 frames"):
        preview.animate(portrait, silent, tmp_path, end_s=0.2, format="png")


def test_the_sound_track_that_is_asked_for(
    preview: LivePortraitPipeline, film: Path, silent: Path, tmp_path: Path
) -> None:
    """Of a film in three languages the second; one that it lacks fails the pair, by its languages' names."""
    source = make_tones(tmp_path / "film.mkv", 0, pictures=film)
    flagged, second = (
        preview.animate(source, silent, tmp_path, end_s=0.4, **asked) for asked in ({}, {"audio_track": 1})
    )
    pitches = [pitch_of(Path(row["video_uri"].removeprefix("file://"))) for row in (flagged, second)]
    assert np.allclose(pitches, [300, 600], atol=10)
    with pytest.raises(PairFailedError, match=r"there is no sound track 3; it has 3.*1: ita"):
        preview.animate(source, silent, tmp_path, end_s=0.4, audio_track=3)


@pytest.mark.parametrize(("audio", "sound"), [("driving", True), ("source", True), ("none", False)])
def test_sound_by_priority(
    preview: LivePortraitPipeline, film: Path, silent: Path, tmp_path: Path, audio: str, sound: bool
) -> None:
    """A silent driving leaves the word to the source video, unless no sound is wanted."""
    row = preview.animate(film, silent, tmp_path, end_s=0.2, audio=audio)
    assert row["has_audio"] is sound and footage(row["video_uri"]).has_audio is sound


def test_all_faces_move(preview: LivePortraitPipeline, generated: Generated, tmp_path: Path) -> None:
    """Two faces in one picture: both move, each in its place; what lies around them stays."""
    one = fit(read_image(generated.portrait, Limits()), 320)
    two = np.hstack([one, one[:, ::-1]])
    write_image(tmp_path / "two.png", two)
    row = preview.animate(
        tmp_path / "two.png",
        generated.clip,
        tmp_path,
        face="all",
        start_s=0.5,
        end_s=1.5,
        crf=8,
        source_max_dim=1280,
    )
    frames = pictures(row)
    moved = [
        np.abs(frames[-1].astype(int) - frames[0]).mean(2),
        np.abs(frames[len(frames) // 2].astype(int) - frames[0]).mean(2),
    ]
    left, right = (max(float(m[:, part].mean()) for m in moved) for part in (slice(0, 320), slice(320, None)))
    assert min(left, right) > 0.3 and max(left, right) < 3 * min(left, right)
    alone = preview.animate(
        tmp_path / "two.png",
        generated.clip,
        tmp_path,
        face="0",
        start_s=0.5,
        end_s=1.5,
        crf=8,
        source_max_dim=1280,
    )
    still = pictures(alone)
    assert np.abs(still[-1][:, 350:].astype(int) - still[0][:, 350:]).mean() < 0.3


def test_the_sources_own_size_is_told(
    preview: LivePortraitPipeline, portrait: Path, silent: Path, tmp_path: Path
) -> None:
    row = preview.animate(portrait, silent, tmp_path, end_s=0.1, source_max_dim=240)
    assert (row["source_width"], row["source_height"]) == PORTRAIT_SIZE
    assert (row["width"], row["height"]) == (180, 240)


def test_a_box_is_in_the_pictures_own_pixels(
    preview: LivePortraitPipeline, generated: Generated, tmp_path: Path
) -> None:
    """However much the picture shrinks, the box means the same face."""
    group = generated.portrait
    whole = preview.animate(group, "none", tmp_path, box=[110, 70, 255, 245], paste_back=False)
    small = preview.animate(group, "none", tmp_path, box=[110, 70, 255, 245], paste_back=False, source_max_dim=270)
    a, b = (cv2.resize(pictures(row)[0], (64, 64), interpolation=cv2.INTER_AREA) for row in (whole, small))
    assert np.abs(a.astype(int) - b).mean() < 4


MOVES_S = ONSET_S + 0.1
"""When the driving has begun to move, seconds."""

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
    {"driving_reference": "neutral", "end_s": MOVES_S + 0.4},
    {"flag_crop_driving_video": True},
    {"flag_crop_driving_video": True, "driving_crop_scale": 3.0},
    {"crop_scale": 2.0},
    {"crop_vx": 0.1},
    {"crop_vy": 0.0},
    {"flag_do_rot": False},
    {"flag_do_crop": False},
]


def test_every_motion_option_changes_the_frames(
    people: LivePortraitPipeline, generated: Generated, tmp_path: Path
) -> None:
    """None of them is accepted and then ignored: all results differ. The source's lips are open, for their sake."""
    source, driving = generated.still, generated.clip
    shas = {}
    for options in [{}, *MOTION]:
        given = {"start_s": MOVES_S, "end_s": MOVES_S + 0.2, "paste_back": False, "preset": "ultrafast", **options}
        shas[str(options)] = people.animate(source, driving, tmp_path, **given)["sha256"]
    twins = [way for way, sha in shas.items() if list(shas.values()).count(sha) > 1]
    assert not twins


def test_options_of_source_videos_change_the_frames(
    people: LivePortraitPipeline, film: Path, generated: Generated, tmp_path: Path
) -> None:
    driving = generated.clip
    ways: list[dict[str, Any]] = [
        {},
        {"driving_smooth_observation_variance": 1e-3},
        {"flag_source_video_eye_retargeting": True},
        {"flag_relative_motion": False},
    ]
    cut = {"start_s": MOVES_S, "end_s": MOVES_S + 0.2, "paste_back": False}
    rows = [people.animate(film, driving, tmp_path, **cut, **way) for way in ways]
    assert len({row["sha256"] for row in rows}) == len(ways)


def test_a_source_video_does_not_depend_on_how_it_is_cut(film: Path, generated: Generated, tmp_path: Path) -> None:
    """Smoothing uses the whole pair, whatever the chunks."""
    frames = []
    for chunk in (4, 32):
        pipeline = LivePortraitPipeline(weights="seeded", size="tiny", chunk_frames=chunk)
        row = pipeline.animate(
            film,
            generated.clip,
            tmp_path / str(chunk),
            start_s=MOVES_S,
            end_s=MOVES_S + 0.4,
            format="frames",
            paste_back=False,
        )
        with zipfile.ZipFile(row["video_uri"].removeprefix("file://")) as archive:
            frames.append([archive.read(name) for name in archive.namelist()])
    assert frames[0] == frames[1] and len(frames[0]) == 10


def test_animals(generated: Generated, tmp_path: Path) -> None:
    pipeline = LivePortraitPipelineAnimal(weights="seeded", size="tiny")
    wink = generated.template
    row = pipeline.animate(generated.cat, wink, tmp_path, box=CAT_BOX, end_s=0.2)
    assert row["n_frames"] == 6
    assert row["licences"] == [], "seeded weights have none, and no detector looked"
    with pytest.raises(RefusedError, match=r"xpose\.weights: .*lp-ray weights pull"):
        pipeline.animate(generated.cat, wink, tmp_path)
    with pytest.raises(RefusedError, match="animation_region='lip' has no effect on animals"):
        pipeline.animate(generated.cat, wink, tmp_path, animation_region="lip")


def test_arrays_are_inputs_like_files(
    preview: LivePortraitPipeline, portrait: Path, silent: Path, tmp_path: Path
) -> None:
    """The same frames whether pictures and clips are given as files or as arrays; a second call finds the first."""
    limits = Limits()
    picture, clip = read_image(portrait, limits), open_footage(silent, limits)
    frames = list(itertools.islice(clip.frames(), 4))
    by_files = preview.animate(portrait, silent, tmp_path / "files", end_s=float(4 / clip.fps), format="frames")
    given = (picture, ArrayClip(frames, clip.fps))
    by_arrays = preview.animate(*given, tmp_path / "arrays", format="frames")
    assert by_arrays["sha256"] == by_files["sha256"]
    again = preview.animate(*given, tmp_path / "arrays", format="frames")
    assert again["finished_at"] == by_arrays["finished_at"]


def test_frames_are_handed_over(preview: LivePortraitPipeline, portrait: Path, silent: Path, tmp_path: Path) -> None:
    """The frames of a pair, as they are before any encoder; nothing is left behind."""
    made = preview.animate(portrait, silent, tmp_path, end_s=0.2, format="frames")
    with zipfile.ZipFile(made["video_uri"].removeprefix("file://")) as archive:
        files = [cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), 1) for name in archive.namelist()]
    handed = preview.frames(portrait, silent, end_s=0.2)
    frames = list(handed)
    assert len(frames) == 5
    assert all(np.array_equal(a, b[..., ::-1]) for a, b in zip(frames, files, strict=True))
    with pytest.raises(RefusedError, match="format has no effect"):
        next(preview.frames(portrait, silent, format="gif"))
    with pytest.raises(PairFailedError):
        next(preview.frames(np.zeros((64, 64, 3), np.uint8), silent, end_s=0.1))


def test_a_picture_drives_and_gives_one_frame(preview: LivePortraitPipeline, portrait: Path) -> None:
    picture = read_image(portrait, Limits())
    (frame,) = preview.frames(picture, picture)
    assert frame.shape == picture.shape
