"""Frames and sound of a result are those of the driving, each at its time: the preview engine, in this process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from lp_ray import LivePortraitPipeline
from lp_ray.acting.film import film_performance
from lp_ray.base.arrays import Image
from lp_ray.base.limits import Limits
from lp_ray.contract.options import PairOptions
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.protocol import FRAME_SIZE, PairMotion, SourceCrops, Span
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.portrait import crop_portrait
from lp_ray.media import ffmpeg
from lp_ray.media.clip import open_footage
from lp_ray.media.encode import encode_segment
from lp_ray.media.images import write_image
from lp_ray.media.sound import add_sound
from lp_ray.motion.template import TemplateReader
from tests.media.cards import card, number_of

SOURCE_FPS, DRIVING_FPS = Fraction(25), Fraction(30)
SOURCE_FRAMES, DRIVING_FRAMES = 60, 30
SAMPLE_RATE = 48000
SOURCE_HZ, DRIVING_HZ = 2400, 900
BURST_S = (0.6, 0.65)
"""When the driving's tone sounds; the source's sounds all the time."""
STRIP = 48
"""Rows at the top of the driving's frames that carry their numbers."""


@dataclass(frozen=True)
class Inputs:
    """A picture, a video of 2.4 s at 25 frames a second, a driving of 1 s at 30; both videos with sound."""

    picture: Path
    source: Path
    driving: Path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("in step")
    actor = skimage.data.astronaut()
    made = Inputs(folder / "picture.png", folder / "source.mp4", folder / "driving.mp4")
    write_image(made.picture, actor)
    film_performance(folder / "s.mp4", "expressions", actor, SOURCE_FPS, SOURCE_FRAMES, sound=False)
    film_performance(folder / "bare.mp4", "nod_and_shake", actor, DRIVING_FPS, DRIVING_FRAMES, sound=False)
    encode_segment(folder / "d.mp4", _numbered(pictures(folder / "bare.mp4")), DRIVING_FPS, 10, "veryfast")
    add_sound(folder / "s.mp4", _tone(SOURCE_HZ, 2.4, (0.0, 2.4)), SAMPLE_RATE, made.source)
    add_sound(folder / "d.mp4", _tone(DRIVING_HZ, 1.0, BURST_S), SAMPLE_RATE, made.driving)
    return made


@pytest.fixture(scope="module")
def preview() -> LivePortraitPipeline:
    return LivePortraitPipeline(engine="preview", chunk_frames=8)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


def _numbered(frames: list[Image]) -> Iterator[Image]:
    for number, frame in enumerate(frames):
        frame[:STRIP] = card(number, FRAME_SIZE, STRIP)
        yield frame


def _tone(hertz: int, seconds: float, sounding: tuple[float, float]) -> NDArray[np.int16]:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    on = (times >= sounding[0]) & (times < sounding[1])
    return np.where(on, 12000 * np.sin(2 * np.pi * hertz * times), 0).astype(np.int16)


def path_of(row: dict[str, Any], column: str = "video_uri") -> Path:
    return Path(row[column].removeprefix("file://"))


def pictures(path: Path) -> list[Image]:
    return [frame.copy() for frame in open_footage(path, Limits()).frames()]


def heard(path: Path) -> NDArray[np.float32]:
    """The sound of a file from its first picture on."""
    command = [ffmpeg.executable(), "-loglevel", "error", "-i", str(path), "-af", "aresample=async=1:first_pts=0"]
    raw = subprocess.run(
        [*command, "-f", "f32le", "-ac", "1", "-ar", str(SAMPLE_RATE), "-"], capture_output=True, check=True
    )
    return np.frombuffer(raw.stdout, np.float32)


def loudness(sound: NDArray[np.float32], hertz: int, at_s: float) -> float:
    """How loud one tone is in the 40 ms around a time."""
    first = round((at_s - 0.02) * SAMPLE_RATE)
    piece = sound[first : first + round(0.04 * SAMPLE_RATE)]
    times = np.arange(len(piece)) / SAMPLE_RATE
    return float(np.abs(np.mean(piece * np.exp(-2j * np.pi * hertz * times)))) * 2


def bursts(sound: NDArray[np.float32]) -> list[float]:
    """Middles of the stretches in which the driving's tone sounds, seconds."""
    times = np.arange(0.02, len(sound) / SAMPLE_RATE - 0.02, 0.005)
    loud = times[[loudness(sound, DRIVING_HZ, at) > 0.1 for at in times]]
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > 0.02) + 1) if len(loud) else []
    return [float(group.mean()) for group in groups]


def engine_frames(inputs: Inputs, template: Path, indices: NDArray[np.intp]) -> Iterator[Image]:
    """What the engine makes of the picture by these frames of a driving, with none of the job's stages."""
    engine = PreviewEngine()
    actor = skimage.data.astronaut()
    portrait = crop_portrait(
        actor, MediaPipeLandmarker(), "large-small", None, SourceFraming(repeat_border=True), FRAME_SIZE
    )
    prepared = engine.prepare(SourceCrops(portrait.crop[None], portrait.points[None]))
    direction = engine.direct(PairMotion(TemplateReader(template), indices), PairOptions())
    for chunk in engine.animate(prepared, direction, Span(0, len(indices), 8)):
        yield from chunk.images


def best_shift(shown: list[Image], wanted: list[Image]) -> int:
    """By how many frames `shown` has to be moved to fit `wanted` best."""
    a, b = (np.stack([picture[::4, ::4] for picture in pictures]).astype(np.int16) for pictures in (shown, wanted))
    inner = slice(3, len(b) - 3)
    return min(
        range(-3, 4), key=lambda shift: float(np.abs(a[inner.start + shift : inner.stop + shift] - b[inner]).mean())
    )


def test_frame_k_shows_driving_frame_k(inputs: Inputs, preview: LivePortraitPipeline, output: Path) -> None:
    """In the result and in the comparison's panels, cut or not, however many chunks there are."""
    for start_s, first in ((None, 0), (0.2, 6)):
        row = preview.animate(
            *(inputs.picture, inputs.driving, output), start_s=start_s, paste_back=False, crf=8, comparison=True
        )
        n = DRIVING_FRAMES - first
        assert row["n_frames"] == n
        template = Path(row["template_uri"].removeprefix("file://"))
        wanted = list(engine_frames(inputs, template, np.arange(n)))
        made = pictures(path_of(row))
        assert np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(made, wanted, strict=True)]) < 2
        assert best_shift(made, wanted) == 0
        compared = pictures(path_of(row, "comparison_uri"))
        results = [picture[:, 2 * FRAME_SIZE :] for picture in compared]
        assert best_shift(results, wanted) == 0
        assert [number_of(picture[:STRIP, :FRAME_SIZE]) for picture in compared] == list(range(first, DRIVING_FRAMES))


@pytest.mark.parametrize("policy", ["min", "loop", "ping-pong", "hold"])
def test_a_source_videos_frames_take_the_drivings_by_time(
    inputs: Inputs, preview: LivePortraitPipeline, output: Path, policy: str
) -> None:
    """The comparison's driving panel shows what is on at the middle of each output frame; the sound is in step."""
    row = preview.animate(
        *(inputs.source, inputs.driving, output),
        driving_length=policy,
        comparison=True,
        paste_back=False,
        preset="ultrafast",
        crf=8,
    )
    at_25 = [min(DRIVING_FRAMES - 1, int((2 * i + 1) * DRIVING_FPS / (2 * SOURCE_FPS))) for i in range(25)]
    there_and_back = [*at_25, *at_25[-2:0:-1]]
    n = 25 if policy == "min" else SOURCE_FRAMES
    order = {
        "min": at_25,
        "hold": at_25 + [at_25[-1]] * SOURCE_FRAMES,
        "loop": 3 * at_25,
        "ping-pong": 2 * there_and_back,
    }[policy][:n]
    compared = path_of(row, "comparison_uri")
    shown = [number_of(picture[:STRIP, :FRAME_SIZE]) for picture in pictures(compared)]
    assert shown == order and row["n_frames"] == n
    middle = sum(BURST_S) / 2
    expected = {
        "min": [middle],
        "hold": [middle],
        "loop": [middle, 1 + middle],
        "ping-pong": [middle, 1 + 24 / 25 - middle, 1 + 23 / 25 + middle],
    }[policy]
    times = [at for at in expected if at < n / SOURCE_FPS]
    for path in (path_of(row), compared):
        np.testing.assert_allclose(bursts(heard(path)), times, atol=0.02)


def test_beside_a_part_of_a_source_video_the_driving_stands_still(
    inputs: Inputs, preview: LivePortraitPipeline, output: Path
) -> None:
    """In the comparison; within the part it runs from its first frame, by time."""
    row = preview.animate(
        *(inputs.source, inputs.driving, output),
        source_start_s=0.4,
        source_end_s=1.0,
        comparison=True,
        paste_back=False,
        preset="ultrafast",
        crf=8,
    )
    at_25 = [int((2 * i + 1) * DRIVING_FPS / (2 * SOURCE_FPS)) for i in range(15)]
    shown = [number_of(picture[:STRIP, :FRAME_SIZE]) for picture in pictures(path_of(row, "comparison_uri"))]
    assert shown == [at_25[0]] * 10 + at_25 + [at_25[-1]] * (SOURCE_FRAMES - 25)


def test_the_sound_of_a_cut_driving_begins_at_the_cut(
    inputs: Inputs, preview: LivePortraitPipeline, output: Path
) -> None:
    row = preview.animate(inputs.picture, inputs.driving, output, start_s=0.4, comparison=True, paste_back=False)
    for column in ("video_uri", "comparison_uri"):
        np.testing.assert_allclose(bursts(heard(path_of(row, column))), [sum(BURST_S) / 2 - 0.4], atol=0.02)


@pytest.mark.parametrize(("audio", "hertz"), [("driving", DRIVING_HZ), ("source", SOURCE_HZ), ("none", 0)])
def test_whose_sound_comes_first(
    inputs: Inputs, preview: LivePortraitPipeline, output: Path, audio: str, hertz: int
) -> None:
    """Of a source video and a driving that both have sound; of a template, which has none, the source's is heard."""
    row = preview.animate(inputs.source, inputs.driving, output, audio=audio, comparison=True, paste_back=False)
    for column in ("video_uri", "comparison_uri"):
        path = path_of(row, column)
        assert open_footage(path, Limits()).has_audio == (audio != "none")
        if hertz:
            sound, at_s = heard(path), sum(BURST_S) / 2
            assert {hz for hz in (SOURCE_HZ, DRIVING_HZ) if loudness(sound, hz, at_s) > 0.1} == {hertz}
    template = Path(row["template_uri"].removeprefix("file://"))
    by_template = preview.animate(inputs.source, template, output, audio=audio, paste_back=False)
    assert by_template["has_audio"] == (audio != "none")
    if audio != "none":
        assert loudness(heard(path_of(by_template)), SOURCE_HZ, 0.5) > 0.1


@pytest.mark.parametrize("kind", ["gif", "frames"])
def test_the_comparison_of_a_result_that_has_no_sound_is_heard(
    inputs: Inputs, preview: LivePortraitPipeline, output: Path, kind: str
) -> None:
    row = preview.animate(
        inputs.picture, inputs.driving, output, end_s=0.8, format=kind, comparison=True, paste_back=False
    )
    assert not row["has_audio"]
    np.testing.assert_allclose(bursts(heard(path_of(row, "comparison_uri"))), [sum(BURST_S) / 2], atol=0.02)
