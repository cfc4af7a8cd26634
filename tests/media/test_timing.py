"""Time stamps that are missing, run backwards, jump or are coarse: see `test_timeline.py` for those that are sound."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lp_ray.base.errors import InputTooLargeError
from lp_ray.media.timing import anchored, make_timeline, straightened

CLOCK = Fraction(1, 90000)


def _ticks(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def test_times_between_stamped_frames_lie_evenly() -> None:
    """As in MPEG program streams: what the decoder makes up for the others does not count."""
    marks = _ticks(7, 8, 1000, 1, 2, 2500, 9)
    timed = np.array([False, False, True, False, False, True, False])
    assert anchored(marks, timed, 0).tolist() == [0, 500, 1000, 1500, 2000, 2500, 3000]


def test_stamps_that_run_backwards_or_are_all_there_stay() -> None:
    marks = _ticks(100, 5, 50)
    assert anchored(marks, np.array([True, False, True]), 1).tolist() == marks.tolist()
    assert anchored(marks, np.ones(3, bool), 1).tolist() == marks.tolist()
    assert anchored(marks, np.zeros(3, bool), 1).tolist() == marks.tolist()


@pytest.mark.parametrize(("last", "step"), [(40, 40), (0, 1)])
def test_one_stamp_places_the_others_by_how_long_a_frame_is_shown(last: int, step: int) -> None:
    """By a tick where the file does not say."""
    marks = anchored(_ticks(9, 9, 500, 9), np.array([False, False, True, False]), last)
    assert marks.tolist() == [500 - 2 * step, 500 - step, 500, 500 + step]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 10**9))
def test_a_clock_that_starts_anew_goes_on(lengths: list[int], start: int) -> None:
    """In joined recordings, time advances by one frame where one recording ends and the next begins."""
    parts = [start + 3000 * np.arange(n) for n in (*lengths, 2)]
    ticks = straightened(np.concatenate(parts), CLOCK, 3000, restarts=True)
    assert np.array_equal(ticks, start + 3000 * np.arange(len(ticks)))


def test_a_long_gap_is_one_only_where_clocks_do_not_restart() -> None:
    marks = _ticks(0, 3000, 6000, 6000 + 20 * 90000)
    assert straightened(marks, CLOCK, 3000, restarts=False).tolist() == marks.tolist()
    assert straightened(marks, CLOCK, 3000, restarts=True).tolist() == [0, 3000, 6000, 9000]


@pytest.mark.parametrize("fps", [30, 25, 12, 60])
@pytest.mark.parametrize("lost", [{20, 40}, {1}, {10, 11, 12}])
def test_a_dropped_frame_on_a_clock_of_one_tick_per_frame_is_a_gap(fps: int, lost: set[int]) -> None:
    ticks = np.array([k for k in range(60) if k not in lost])
    line = make_timeline(ticks, Fraction(1, fps), 1)
    assert (line.fps, line.constant, len(line.shown)) == (Fraction(fps), False, 60)


@pytest.mark.parametrize(
    ("fps", "clock"), [("30", 100), ("24", 50), ("25", 60), ("30000/1001", 100), ("24000/1001", 60)]
)
def test_rounding_on_a_coarse_clock_is_no_gap(fps: str, clock: int) -> None:
    """GIF's hundredths of a second, for one."""
    rate = Fraction(fps)
    ticks = np.array([round(k * clock / rate) for k in range(200)])
    line = make_timeline(ticks, Fraction(1, clock), 3)
    assert line.constant
    assert abs(float(line.fps / rate) - 1) < 0.001


@pytest.mark.parametrize("fps", ["30", "30000/1001"])
def test_what_the_file_says_of_its_rate_decides_between_two_that_fit(fps: str) -> None:
    ticks = np.array([round(k * 1000 / Fraction(fps)) for k in range(8)])
    assert make_timeline(ticks, Fraction(1, 1000), 33, hint=float(f"{float(Fraction(fps)):.2f}")).fps == Fraction(fps)
    assert make_timeline(ticks, Fraction(1, 1000), 33, hint=25.0).fps != 25  # it does not fit


def test_a_last_frame_shorter_than_the_others_ends_the_clip_early() -> None:
    """Six frames of 40 ms, one of them held twice as long, make seven; the last one's 10 ms are no frame more."""
    ticks = _ticks(0, 4, 8, 12, 20, 24)
    assert make_timeline(ticks, Fraction(1, 100), 1).shown.tolist() == [0, 1, 2, 3, 3, 4]
    assert make_timeline(ticks, Fraction(1, 100), 0).shown.tolist() == [0, 1, 2, 3, 3, 4, 5]


def test_frames_at_one_time_do_not_hide_the_rate() -> None:
    """Five at once; the others follow 40 ms apart, one frame's time left out."""
    line = make_timeline(_ticks(0, 0, 0, 0, 0, 4, 8, 16), Fraction(1, 100), 4)
    assert line.fps == 25 and line.shown.tolist() == [4, 5, 6, 6, 7]


@pytest.mark.parametrize("last", [0, 1])
def test_a_stated_rate_counts_a_frame_without_duration_as_a_tick(last: int) -> None:
    line = make_timeline(_ticks(0, 1, 2), Fraction(1, 25), last, stated=Fraction(25))
    assert (line.fps, line.constant, line.shown.tolist()) == (Fraction(25), True, [0, 1, 2])


def test_a_clip_shorter_than_half_a_frame_has_one() -> None:
    line = make_timeline(_ticks(7), Fraction(1, 1000), 1, stated=Fraction(25))
    assert line.shown.tolist() == [0]


def test_a_gap_of_years_is_refused_before_it_is_counted_out() -> None:
    ticks = _ticks(*range(0, 300, 10), 10**12)
    with pytest.raises(InputTooLargeError, match="frames at"):
        make_timeline(ticks, Fraction(1, 1000), 10)


def test_extreme_time_stamps_do_not_overflow() -> None:
    edge = 1 << 62
    with pytest.raises(InputTooLargeError):
        make_timeline(_ticks(-edge, -edge + 40, edge), Fraction(1, 1000), 40)
