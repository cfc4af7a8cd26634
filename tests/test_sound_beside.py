"""A sound beside a performance is the driving's sound: heard, cut and repeated with it, and a bad one is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lp_ray import LivePortraitPipeline, PairFailedError
from lp_ray.base.errors import InputChangedError
from lp_ray.engine.protocol import EngineSpec
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRef
from lp_ray.stages.imported import import_template
from tests.generated import Generated
from tests.media.test_sound import _click_times
from tests.media.test_sound_files import clicks, make_wav
from tests.media.tones import make_tones, pitch_of

pytestmark = pytest.mark.slow

CURVES = "# fps=10\nframe,head_yaw\n0,0\n5,-15\n12,0\n"
"""13 frames in 1.3 seconds."""
TINY = {"paste_back": False, "source_max_dim": 256}

Make = Callable[..., dict[str, object]]


@pytest.fixture(scope="module")
def preview() -> LivePortraitPipeline:
    return LivePortraitPipeline(engine="preview")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "nod.perf.csv"
    path.write_text(CURVES)
    return path


def heard(row: dict[str, object]) -> list[float]:
    """When the result's sound clicks, seconds to a hundredth."""
    return [round(float(t), 2) for t in _click_times(Path(str(row["video_uri"]).removeprefix("file://")))]


def test_the_sound_is_heard_where_there_is_one_and_only_there(
    preview: LivePortraitPipeline, generated: Generated, table: Path, tmp_path: Path
) -> None:
    """A table without one stays silent, and its pair is the one that it was; the sound is as long as the pictures."""
    out = tmp_path / "out"
    silent = preview.animate(generated.portrait, table, out, **TINY)
    make_wav(table.with_name("nod.wav"), clicks(3, 0.4))
    sounding = preview.animate(generated.portrait, table, out, **TINY)
    assert (silent["has_audio"], sounding["has_audio"]) == (False, True)
    assert heard(sounding) == [0.4, 0.8, 1.2] and sounding["duration_s"] == 1.3
    assert silent["pair_id"] != sounding["pair_id"]
    muted = preview.animate(generated.portrait, table, out, audio="none", **TINY)
    assert not muted["has_audio"] and not muted["options_without_effect"]
    table.with_name("nod.wav").unlink()
    again = preview.animate(generated.portrait, table, out, **TINY)
    assert again["pair_id"] == silent["pair_id"] and again["finished_at"] == silent["finished_at"]


def test_a_cut_performance_has_its_cut_of_the_sound(
    preview: LivePortraitPipeline, generated: Generated, table: Path, tmp_path: Path
) -> None:
    make_wav(table.with_name("nod.wav"), clicks(3, 0.4))
    row = preview.animate(generated.portrait, table, tmp_path / "out", start_s=0.6, end_s=1.3, **TINY)
    assert row["n_frames"] == 7 and heard(row) == [0.2, 0.6]


@pytest.mark.parametrize(
    ("policy", "times"), [("min", [0.4]), ("loop", [0.4, 1.08]), ("hold", [0.4]), ("ping-pong", [0.4, 0.91])]
)
def test_on_a_source_video_it_goes_as_the_performance_goes(
    preview: LivePortraitPipeline, generated: Generated, table: Path, tmp_path: Path, policy: str, times: list[float]
) -> None:
    """Seven of its frames, which are 17 of the film's 30: once, or again as they go."""
    make_wav(table.with_name("nod.wav"), clicks(3, 0.4))
    row = preview.animate(generated.film, table, tmp_path / "out", end_s=0.7, driving_length=policy, **TINY)
    assert row["has_audio"] and np.allclose(heard(row), times, atol=0.02), heard(row)


def test_the_source_s_own_sound_goes_first_if_asked_and_a_track_is_chosen(
    preview: LivePortraitPipeline, generated: Generated, table: Path, tmp_path: Path
) -> None:
    make_tones(tmp_path / "tones.mp4", default=1).rename(table.with_name("nod.m4a"))
    made = {
        name: preview.animate(generated.film, table, tmp_path / "out", **TINY, **options)
        for name, options in {"default": {}, "third": {"audio_track": 2}, "source": {"audio": "source"}}.items()
    }
    pitches = {name: pitch_of(Path(row["video_uri"].removeprefix("file://"))) for name, row in made.items()}
    assert abs(pitches["default"] - 600) < 3 and abs(pitches["third"] - 1200) < 3
    assert min(abs(pitches["source"] - tone) for tone in (300, 600, 1200)) > 3
    assert not any(row["options_without_effect"] for row in made.values())
    with pytest.raises(PairFailedError, match=r"there is no sound track 3; it has 3, counted from 0"):
        preview.animate(generated.film, table, tmp_path / "out", audio_track=3, **TINY)


@pytest.mark.parametrize("content", [b"", b"<html>404", b"OggS" + bytes(99)])
def test_a_bad_sound_fails_its_row_before_any_frame_is_made(
    preview: LivePortraitPipeline, generated: Generated, table: Path, tmp_path: Path, content: bytes
) -> None:
    table.with_name("nod.ogg").write_bytes(content)
    with pytest.raises(
        PairFailedError,
        match=r"template: UnreadableMediaError: the sound beside the table, \S*nod\.ogg: .*take it away",
    ):
        preview.animate(generated.portrait, table, tmp_path / "out", **TINY)


def test_two_sounds_are_one_too_many(
    preview: LivePortraitPipeline, generated: Generated, table: Path, tmp_path: Path
) -> None:
    for name in ("nod.wav", "nod.flac"):
        make_wav(table.with_name(name), clicks(1))
    with pytest.raises(PairFailedError, match=r"several sounds beside nod\.perf\.csv: nod\.wav, nod\.flac; keep"):
        preview.animate(generated.portrait, table, tmp_path / "out", **TINY)


def test_a_sound_that_changes_under_a_job_fails_the_pair(tmp_path: Path, table: Path) -> None:
    """The key holds its version: another sound must not come into the result that this key stands for."""
    sound = make_wav(table.with_name("nod.wav"), clicks(1))
    planned = ClipRef(f"file://{table}", "large-small", sound=f"file://{sound}", sound_version="1-2")
    with pytest.raises(InputChangedError, match=r"nod\.wav has changed since the job was planned"):
        import_template(Settings(f"file://{tmp_path}", f"file://{tmp_path}", EngineSpec("preview")), "k", planned)
