"""Time stamps to a constant rate: which rate it is, and which frame is on screen when."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lp_ray.media.timing import STANDARD_RATES, Timeline, cut, make_timeline

MS, FINE = Fraction(1, 1000), Fraction(1, 90000)


def ticks(fps: Fraction, n: int, time_base: Fraction = MS, start: int = 0) -> NDArray[np.int64]:
    """Time stamps of n frames at a rate, each rounded to the clock."""
    return np.array([start + round(k / fps / time_base) for k in range(n)], np.int64)


def made(stamps: NDArray[np.int64], time_base: Fraction = MS, last: int = 0) -> Timeline:
    return make_timeline(np.asarray(stamps, np.int64), time_base, last)


@pytest.mark.parametrize("fps", STANDARD_RATES, ids=str)
@pytest.mark.parametrize(("clock", "n"), [(1000, 1000), (90000, 6), (90000, 50)])
def test_a_standard_rate_is_found_exactly(fps: Fraction, clock: int, n: int) -> None:
    """On a clock of milliseconds from a thousand frames, on that of transport streams from six."""
    time_base = Fraction(1, clock)
    timeline = made(ticks(fps, n, time_base, start=77), time_base)
    assert timeline.constant and timeline.fps == fps
    np.testing.assert_array_equal(timeline.shown, np.arange(n))


@given(st.integers(1, 100), st.sampled_from([1, 1001]), st.integers(3, 300))
def test_a_rate_that_the_clock_holds_is_exact_whatever_it_is(rate: int, denominator: int, n: int) -> None:
    """Gaps all alike are the rate, however odd."""
    fps = Fraction(rate, denominator)
    timeline = made(np.arange(n) * denominator, Fraction(1, rate))
    assert timeline.constant and timeline.fps == fps and len(timeline.shown) == n


def test_a_rate_that_no_camera_has_is_measured() -> None:
    """17.3 frames a second on a clock of microseconds: within a tick of each frame, as a fraction of small numbers."""
    fps = Fraction(173, 10)
    timeline = made(ticks(fps, 400, Fraction(1, 1_000_000)), Fraction(1, 1_000_000))
    assert timeline.constant and timeline.fps == fps


def test_the_whole_number_beside_the_mean_counts_as_a_rate() -> None:
    """12 frames a second are on no list: on a clock of milliseconds they are 12, not 6006/500 or so."""
    assert made(ticks(Fraction(12), 30)).fps == 12
    assert made(ticks(Fraction(15), 500)).fps == 15


def test_a_frame_keeps_its_place_until_it_strays_past_the_middle_of_another() -> None:
    """By under half of its time, 20 of 40 ms, each frame is shown once; further, another one is shown in its place."""
    stamps = ticks(Fraction(25), 100)
    for stray, kept in ((9, True), (10, True), (12, True), (19, True), (25, False), (-12, True), (-25, False)):
        moved = stamps.copy()
        moved[50] += stray
        timeline = made(moved)
        assert timeline.constant == kept == (timeline.shown.tolist() == list(range(100))), stray
        assert timeline.fps == 25


def test_the_nearest_rate_that_fits_is_taken() -> None:
    """Of 30 and 30000/1001, each from its own thousand time stamps: the mean decides, not the order of a list."""
    for fps in (Fraction(30), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(24000, 1001)):
        stamps = ticks(fps, 1000, FINE)
        stamps[1:-1] += np.random.default_rng(0).integers(-200, 201, 998)
        assert made(stamps, FINE).fps == fps


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(24), Fraction(60)])
def test_a_gap_leaves_the_last_frame_on_screen(fps: Fraction) -> None:
    """Half a second is missing after frame 10: it stays on screen for that long, and nothing moves in time."""
    gap = int(fps / 2)
    kept = [*range(11), *range(11 + gap, 40 + gap)]
    stamps = ticks(fps, 40 + gap, FINE)[kept]
    timeline = made(stamps, FINE, last=round(1 / fps / FINE))
    assert not timeline.constant and timeline.fps == fps
    expected = [kept.index(max(k for k in kept if k <= place)) for place in range(40 + gap)]
    np.testing.assert_array_equal(timeline.shown, expected)


def test_frames_faster_than_the_clips_rate_drop_out() -> None:
    """Most frames come at 25 a second; ten extra ones, between two of them, are never on screen at a frame's middle."""
    stamps = np.sort(np.concatenate([ticks(Fraction(25), 100), 1000 + np.arange(1, 11)]))
    timeline = made(stamps, last=40)
    assert timeline.fps == 25 and len(timeline.shown) == 100
    extra = set(range(26, 36))
    assert extra - set(timeline.shown.tolist()) >= set(range(26, 35))


def test_a_frame_that_comes_slightly_late_keeps_its_place() -> None:
    """By 15 of 40 ms: not past the middle of its place."""
    stamps = ticks(Fraction(25), 60)
    stamps[20] += 15
    stamps[40] -= 15
    timeline = made(stamps, last=40)
    np.testing.assert_array_equal(timeline.shown, np.arange(60))
    stamps[20] += 10
    assert timeline.shown[20] == 20 and made(stamps, last=40).shown[20] == 19


def test_how_long_the_last_frame_lasts_counts() -> None:
    """At a varying rate: given, or else as long as most."""
    stamps = ticks(Fraction(25), 50)
    stamps[10:] += 200
    assert len(made(stamps, last=40).shown) == 55
    assert len(made(stamps, last=400).shown) == 64
    assert len(made(stamps, last=0).shown) == 55


def test_a_varying_rate_near_a_standard_one_is_that() -> None:
    """A gap's median of 33 ms is 30.3 frames a second, one in a hundred off 30; 70 ms are no standard rate."""
    stamps = ticks(Fraction(30), 90)
    stamps[40:] += 500
    assert made(stamps, last=33).fps == 30
    odd = np.cumsum([0] + [70] * 30 + [700] + [70] * 30)
    assert made(odd, last=70).fps == Fraction(1000, 70).limit_denominator(1001)


@pytest.mark.parametrize(
    ("last", "fps"), [(40, Fraction(25)), (0, Fraction(25)), (100, Fraction(10)), (1, Fraction(1000))]
)
def test_one_frame_is_shown_as_long_as_it_says(last: int, fps: Fraction) -> None:
    timeline = made(np.array([5]), last=last)
    assert timeline.constant and timeline.fps == fps and timeline.shown.tolist() == [0]


def test_rates_are_kept_within_a_hundredth_and_a_thousand() -> None:
    assert made(np.array([0]), Fraction(1, 1), last=1_000_000).fps == Fraction(1, 100)
    assert made(np.array([0]), Fraction(1, 1_000_000), last=1).fps == 1000
    assert made(np.arange(10), Fraction(1, 1001)).fps == 1000
    assert made(np.arange(10), Fraction(1, 1000)).constant


def test_seconds_are_on_the_files_clock() -> None:
    assert made(np.array([90, 180, 270]), Fraction(1, 90)).seconds(180) == 2.0


@given(
    st.fractions(1, 120, max_denominator=1001),
    st.integers(1, 5000),
    st.integers(0, 400),
    st.integers(1, 400),
)
def test_a_cut_holds_the_frames_whose_time_is_in_it(fps: Fraction, n: int, start_10: int, length_10: int) -> None:
    """Start and end in tenths of a second, as typed; the end does not belong to it."""
    start, end = start_10 / 10, (start_10 + length_10) / 10
    inside = [k for k in range(n) if Fraction(start_10, 10) <= k / fps < Fraction(start_10 + length_10, 10)]
    first, count = cut(fps, n, start, end)
    assert count == len(inside) and (not inside or first == inside[0])
    assert cut(fps, n, None, None) == (0, n)
    assert cut(fps, n, -3.0, None) == (0, n)
    assert cut(fps, n, None, -1.0)[1] == 0
