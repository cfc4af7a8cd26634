"""Frames by index in any order: the right pictures, each decoded and transformed once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lp_ray.base.arrays import Image
from lp_ray.media.clip import Clip, open_clip
from lp_ray.media.gather import MAX_GAP, gather

from .cards import LIMITS, make_clip, number_of, remake

N = 400


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Frames 20 to 419 of a file with B-frames and several key frames."""
    folder = tmp_path_factory.mktemp("gather")
    cards = make_clip(folder / "cards.mp4", Fraction(25), range(N + 40))
    coded = remake(cards, folder / "clip.mp4", "-c:v", "libx264", "-g", "50", "-bf", "2", "-crf", "18")
    return open_clip(coded, LIMITS, 20 / 25, (20 + N) / 25)


def _numbers(pictures: list[Image]) -> list[int]:
    return [number_of(picture) - 20 for picture in pictures]


@pytest.mark.parametrize(
    "indices",
    [
        list(range(32)),
        [7],
        [*range(390, 400), *range(22)],  # the seam of a loop
        [*range(380, 400), *range(398, 386, -1)],  # the turn of a ping-pong
        [0, 0, 0, 1, 1, 2, 2, 2],  # a slower source
        list(range(0, 400, 13)),  # a faster one
        [399, 0, 200, 0, 399],
    ],
    ids=["chunk", "one", "loop", "ping-pong", "repeats", "strides", "jumps"],
)
def test_frames_come_in_the_order_asked_each_made_once(indices: list[int], clip: Clip) -> None:
    seen: list[int] = []

    def half(frame: Image) -> Image:
        seen.append(number_of(frame) - 20)
        return frame[::2, ::2].copy()

    pictures = gather(clip, np.array(indices, np.intp), half)
    assert _numbers(pictures) == indices
    assert seen == sorted(set(indices))
    assert {picture.shape for picture in pictures} == {(24, 40, 3)}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, N - 1), max_size=12))
def test_any_indices(clip: Clip, indices: list[int]) -> None:
    assert _numbers(gather(clip, np.array(indices, np.intp), np.copy)) == indices


def test_far_jumps_are_not_decoded_through(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int | None]] = []
    frames = Clip.frames

    def noted(self: Clip, first: int = 0, count: int | None = None, max_dim: int | None = None) -> object:
        asked.append((first, count))
        return frames(self, first, count, max_dim)

    monkeypatch.setattr(Clip, "frames", noted)
    indices = np.array([300, 301, 0, 1, 1 + MAX_GAP, 299 - MAX_GAP], np.intp)
    assert _numbers(gather(clip, indices, np.copy)) == indices.tolist()
    assert asked == [(0, 2 + MAX_GAP), (299 - MAX_GAP, 1), (300, 2)]


@pytest.mark.parametrize("index", [-1, N])
def test_indices_outside_of_the_clip_are_refused(index: int, clip: Clip) -> None:
    with pytest.raises(ValueError, match=r"asked of 400"):
        gather(clip, np.array([3, index], np.intp), np.copy)
