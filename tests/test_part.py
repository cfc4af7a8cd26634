"""A part of a source video: what is animated, and that all the rest is the source's own, frames and sound."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lp_ray import LivePortraitPipeline, PairFailedError
from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.contract.options import PairOptions
from lp_ray.media import ffmpeg
from lp_ray.media.clip import open_clip
from lp_ray.media.frames_zip import read_frames
from lp_ray.motion.rates import Length, output_length
from lp_ray.plan.part import frames_of
from tests.generated import FILM_FPS, FILM_FRAMES, Generated

pytestmark = pytest.mark.slow

PART: dict[str, Any] = {"source_start_s": 0.4, "source_end_s": 0.9}
FIRST, STOP = 10, 23
"""Frames of the film that are animated: those whose time lies in the part."""
ENGINES: dict[str, dict[str, Any]] = {"preview": {"engine": "preview"}, "people": {"weights": "seeded", "size": "tiny"}}
EITHER = pytest.mark.parametrize("engine", list(ENGINES))


@pytest.fixture(scope="module")
def pipelines() -> dict[str, LivePortraitPipeline]:
    return {name: LivePortraitPipeline(**settings) for name, settings in ENGINES.items()}


@pytest.fixture(scope="module")
def own(generated: Generated) -> list[Image]:
    """The film's own frames."""
    return list(open_clip(generated.film, Limits()).frames())


def untouched(made: Sequence[Image], own: Sequence[Image]) -> list[int]:
    return [i for i, (a, b) in enumerate(zip(made, own, strict=True)) if np.array_equal(a, b)]


def heard(path: Path) -> NDArray[np.float32]:
    """The sound of a file, mono, 8000 samples a second."""
    command = [
        ffmpeg.executable(),
        "-loglevel",
        "error",
        "-i",
        str(path),
        "-f",
        "f32le",
        "-ac",
        "1",
        "-ar",
        "8000",
        "-",
    ]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)


def local(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


@EITHER
def test_the_part_is_animated_and_the_rest_is_the_source_to_the_byte(
    engine: str, pipelines: dict[str, LivePortraitPipeline], generated: Generated, own: list[Image]
) -> None:
    """Frame 0 of a relative driving is the source in an engine that keeps pixels: it counts as untouched."""
    made = list(pipelines[engine].frames(generated.film, generated.clip, **PART))
    beside = [*range(FIRST), *range(STOP, FILM_FRAMES)]
    at_rest = [FIRST] if engine == "preview" else []
    assert untouched(made, own) == sorted(beside + at_rest)


# Networks run in whole batches: chunks of one frame would cost them eight times as much and show no more.
@pytest.mark.parametrize(("engine", "chunk"), [("preview", 1), ("preview", 7), ("people", 7)])
def test_it_does_not_depend_on_the_cut_into_chunks(
    engine: str, chunk: int, pipelines: dict[str, LivePortraitPipeline], generated: Generated
) -> None:
    """Chunks that lie within, across and beside the part."""
    pieces = LivePortraitPipeline(**ENGINES[engine], chunk_frames=chunk)
    for more in ({}, {"paste_back": False, "alpha": "keep"}):
        made = list(pipelines[engine].frames(generated.film, generated.clip, **PART, **more))
        again = list(pieces.frames(generated.film, generated.clip, **PART, **more))
        assert untouched(made, again) == list(range(FILM_FRAMES)), more


def test_the_part_is_made_as_a_video_of_its_own_would_be(
    pipelines: dict[str, LivePortraitPipeline], generated: Generated, own: list[Image]
) -> None:
    """From the beginning: the frames of the whole pair. Later: the driving begins where the part does."""
    whole = list(pipelines["preview"].frames(generated.film, generated.clip))
    made = list(pipelines["preview"].frames(generated.film, generated.clip, source_end_s=0.4))
    assert untouched(made[:FIRST], whole[:FIRST]) == list(range(FIRST))
    assert untouched(made[FIRST:], own[FIRST:]) == list(range(FILM_FRAMES - FIRST))


def test_a_part_ends_with_a_driving_that_is_shorter_unless_it_goes_on(
    pipelines: dict[str, LivePortraitPipeline], generated: Generated, own: list[Image]
) -> None:
    short: dict[str, Any] = {"start_s": 0.4, "end_s": 0.6, "source_start_s": 0.4}
    made = list(pipelines["people"].frames(generated.film, generated.silent_clip, **short))
    assert untouched(made, own) == [*range(FIRST), *range(FIRST + 5, FILM_FRAMES)]
    made = list(pipelines["people"].frames(generated.film, generated.silent_clip, **short, driving_length="loop"))
    assert untouched(made, own) == list(range(FIRST))


@EITHER
def test_edits_alone_touch_the_part_alone(
    engine: str, pipelines: dict[str, LivePortraitPipeline], generated: Generated, own: list[Image]
) -> None:
    made = list(pipelines[engine].frames(generated.film, "none", head_yaw=12.0, **PART))
    assert untouched(made, own) == [*range(FIRST), *range(STOP, FILM_FRAMES)]


def test_the_crop_alone_shows_the_source_beside_the_part(
    pipelines: dict[str, LivePortraitPipeline], generated: Generated
) -> None:
    made = list(pipelines["preview"].frames(generated.film, generated.clip, paste_back=False, **PART))
    still = list(
        pipelines["preview"].frames(
            generated.film, generated.clip, paste_back=False, driving_multiplier=0.0, driving_length="hold"
        )
    )
    assert {frame.shape for frame in made} == {(512, 512, 3)} and len(made) == FILM_FRAMES
    beside = [*range(FIRST), *range(STOP, FILM_FRAMES)]
    assert all(np.abs(made[i].astype(int) - still[i]).max() <= 2 for i in beside)
    assert np.abs(made[STOP - 1].astype(int) - still[STOP - 1]).max() > 20


def test_length_rate_and_sound_are_the_sources(
    pipelines: dict[str, LivePortraitPipeline], generated: Generated, tmp_path: Path
) -> None:
    """The driving, which has sound and comes first elsewhere, is not heard; nor in the comparison."""
    row = pipelines["preview"].animate(generated.film, generated.clip, tmp_path, comparison=True, **PART)
    assert (row["n_frames"], row["fps"]) == (FILM_FRAMES, {"numerator": 25, "denominator": 1})
    assert row["options_without_effect"] is None
    source = heard(generated.film)
    for uri in (row["video_uri"], row["comparison_uri"]):
        sound = heard(local(uri))
        n = min(len(source), len(sound))
        assert n > 0.95 * len(source) and np.corrcoef(sound[:n], source[:n])[0, 1] > 0.9
    assert len(list(open_clip(local(row["comparison_uri"]), Limits()).frames())) == FILM_FRAMES
    again = pipelines["preview"].animate(
        generated.film, generated.clip, tmp_path, comparison=True, audio="source", **PART
    )
    assert again["pair_id"] == row["pair_id"], "the source's sound it is anyway"
    silent = pipelines["preview"].animate(generated.film, generated.clip, tmp_path, audio="none", **PART)
    assert not silent["has_audio"]


@pytest.mark.parametrize("chunk", [4, 32])
def test_a_sidecar_holds_the_frames_that_are_animated(chunk: int, generated: Generated, tmp_path: Path) -> None:
    pipeline = LivePortraitPipeline(engine="preview", sidecars=("motion",), chunk_frames=chunk)
    row = pipeline.animate(generated.film, generated.clip, tmp_path, format="frames", **PART)
    motion = safetensors.numpy.load_file(local(row["motion_uri"]))
    assert motion["rotation"].shape == (1, STOP - FIRST, 3, 3)
    np.testing.assert_allclose(motion["rotation"][0, 0], np.eye(3), atol=1e-6)
    assert len(list(read_frames(local(row["video_uri"])))) == FILM_FRAMES


def test_a_picture_has_no_parts_and_says_so(
    pipelines: dict[str, LivePortraitPipeline], generated: Generated, tmp_path: Path
) -> None:
    plain = pipelines["preview"].animate(generated.portrait, generated.clip, tmp_path, end_s=0.1)
    row = pipelines["preview"].animate(generated.portrait, generated.clip, tmp_path, end_s=0.1, **PART)
    assert row["pair_id"] == plain["pair_id"]


def test_what_cannot_be_says_which_row_and_why(
    pipelines: dict[str, LivePortraitPipeline], generated: Generated, tmp_path: Path
) -> None:
    inputs = (generated.film, generated.clip, tmp_path)
    with pytest.raises(RefusedError, match=r"source_end_s=0\.5 is not after source_start_s=0\.5: make it later, or 0"):
        pipelines["preview"].animate(*inputs, source_start_s=0.5, source_end_s=0.5)
    with pytest.raises(
        PairFailedError, match=r"no frame of the source between source_start_s=9 and its end: it is 1.20"
    ):
        pipelines["preview"].animate(*inputs, source_start_s=9.0)
    with pytest.raises(RefusedError, match="labels and metrics are of videos that are animated from end to end"):
        LivePortraitPipeline(engine="preview", labels="asked").animate(*inputs, **PART)
    pairs = [{"source_id": "s", "driving_id": "d", "source_start_s": 1.0, "source_end_s": end} for end in (0.0, 0.7)]
    tables = [{"uri": str(generated.film), "source_id": "s"}], [{"uri": str(generated.clip), "driving_id": "d"}]
    with pytest.raises(RefusedError, match=r"pairs manifest row 1: source_end_s=0\.7 is not after source_start_s=1"):
        pipelines["preview"].animate_many(*tables, tmp_path, pairs=pairs)


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(12)]),
    st.integers(0, 12_500),
    st.integers(0, 12_500),
    st.sampled_from(["min", "loop", "ping-pong", "hold"]),
)
def test_a_part_lies_in_its_video_and_is_as_long_as_a_video_of_its_length_would_be(
    n_source: int, n_driving: int, fps: Fraction, start_ms: int, end_ms: int, policy: Any
) -> None:
    options = PairOptions(source_start_s=start_ms / 1000, source_end_s=end_ms / 1000, driving_length=policy)
    length, part = frames_of(Length(n_source, FILM_FPS), [Length(n_driving, fps)], options)
    if not start_ms and not end_ms:
        assert part is None
        return
    assert length == Length(n_source, FILM_FPS) and part is not None
    first, count = part
    inside = [k for k in range(n_source) if start_ms <= 40 * k and (not end_ms or 40 * k < end_ms)]
    if not inside:
        assert count == 0
        return
    assert first == inside[0]
    assert count == output_length(Length(len(inside), FILM_FPS), Length(n_driving, fps), policy).n_frames
