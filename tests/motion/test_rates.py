"""Resampling by time and length policies, as properties."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.motion.rates import (
    Length,
    LengthPolicy,
    drive_picture,
    drive_video,
    output_length,
    resample,
    resampled_length,
    schedule,
)

RATES = [Fraction(n) for n in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60)] + [
    Fraction(n, 1001) for n in (24000, 30000, 60000)
]
rates = st.sampled_from(RATES) | st.fractions(1, 240, max_denominator=1001)
lengths = st.integers(1, 2000)


@given(lengths, rates, rates)
def test_every_output_frame_shows_what_is_on_at_its_middle(n: int, rate_in: Fraction, rate_out: Fraction) -> None:
    index = resample(n, rate_in, rate_out)
    assert len(index) >= 1 and index[0] >= 0 and index[-1] < n
    assert (np.diff(index) >= 0).all()
    if len(index) > 1:
        for i in {0, len(index) // 2, len(index) - 1}:
            middle = (i + Fraction(1, 2)) / rate_out
            assert index[i] / rate_in <= middle < (int(index[i]) + 1) / rate_in


@given(lengths, rates, rates)
def test_the_length_in_time_is_kept_to_half_an_output_frame(n: int, rate_in: Fraction, rate_out: Fraction) -> None:
    n_out = len(resample(n, rate_in, rate_out))
    assert n_out == 1 or abs(n_out / rate_out - n / rate_in) <= Fraction(1, 2) / rate_out


@given(lengths, rates)
def test_equal_rates_change_nothing(n: int, rate: Fraction) -> None:
    np.testing.assert_array_equal(resample(n, rate, rate), np.arange(n))


def test_an_hour_of_ntsc_does_not_drift() -> None:
    """At 25 frames a second, the last of 108,000 frames of 29.97 is within one frame of its time."""
    index = resample(108_000, Fraction(30000, 1001), Fraction(25))
    assert len(index) == 90_090
    assert index[-1] in (107_998, 107_999)


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(["min", "loop", "ping-pong", "hold"]))
def test_policies_cover_the_source_with_frames_of_the_driving(
    n_source: int, n_driving: int, policy: LengthPolicy
) -> None:
    schedule = drive_video(n_source, np.arange(n_driving), policy)
    expected = min(n_source, n_driving) if policy == "min" and n_driving > 1 else n_source
    np.testing.assert_array_equal(schedule.source, np.arange(expected))
    assert len(schedule.driving) == expected and set(schedule.driving) <= set(range(n_driving))
    shared = min(n_source, n_driving)
    np.testing.assert_array_equal(schedule.driving[:shared], np.arange(shared))
    if policy == "ping-pong":
        assert (np.abs(np.diff(schedule.driving)) == (n_driving > 1)).all()


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("min", [4, 5, 6]),
        ("hold", [4, 5, 6, 6, 6, 6, 6, 6]),
        ("loop", [4, 5, 6, 4, 5, 6, 4, 5]),
        ("ping-pong", [4, 5, 6, 5, 4, 5, 6, 5]),
    ],
)
def test_a_short_driving(policy: LengthPolicy, expected: list[int]) -> None:
    assert drive_video(8, np.array([4, 5, 6]), policy).driving.tolist() == expected


def test_a_picture_takes_all_driving_frames() -> None:
    schedule = drive_picture(np.array([0, 2, 4]))
    assert schedule.source.tolist() == [0, 0, 0] and schedule.driving.tolist() == [0, 2, 4]


@pytest.mark.parametrize(("n", "rate"), [(0, Fraction(25)), (5, Fraction(0))])
def test_nothing_to_show_is_refused(n: int, rate: Fraction) -> None:
    with pytest.raises(ValueError, match="cannot be shown"):
        resample(n, rate, Fraction(25))


@given(
    st.none() | st.builds(Length, st.integers(1, 300), rates),
    st.builds(Length, st.integers(1, 300), rates),
    st.sampled_from(["min", "loop", "ping-pong", "hold"]),
)
def test_the_length_is_known_without_listing_frames(
    source: Length | None, driving: Length, policy: LengthPolicy
) -> None:
    """The plan counts a pair's frames by `output_length`, the stages list them by `schedule`."""
    made = schedule(source, driving, policy)
    length = output_length(source, driving, policy)
    assert len(made.source) == len(made.driving) == length.n_frames
    assert length.fps == (driving.fps if source is None else source.fps)
    assert made.source.max() < (1 if source is None else source.n_frames) and made.driving.max() < driving.n_frames


@given(st.builds(Length, st.integers(1, 300), rates), st.builds(Length, st.integers(2, 300), rates))
def test_a_longer_source_is_cut_to_the_driving_and_a_longer_driving_to_the_source(
    source: Length, driving: Length
) -> None:
    """Under `min`: as many output frames as the shorter of the two lasts, and each takes what is on at its middle."""
    lasts = driving.n_frames * source.fps / driving.fps
    made = schedule(source, driving, "min")
    length = output_length(source, driving, "min").n_frames
    assert length == min(source.n_frames, resampled_length(driving, source.fps))
    assert abs(resampled_length(driving, source.fps) - lasts) <= Fraction(1, 2) or length == 1
    wanted = [int((i + Fraction(1, 2)) * driving.fps / source.fps) for i in range(length)]
    assert made.driving.tolist() == [min(frame, driving.n_frames - 1) for frame in wanted]
    assert made.source.tolist() == list(range(length))


@pytest.mark.parametrize("policy", ["min", "loop", "ping-pong", "hold"])
def test_one_driving_frame_serves_a_whole_source(policy: LengthPolicy) -> None:
    made = schedule(Length(7, Fraction(25)), Length(1, Fraction(30)), policy)
    assert made.driving.tolist() == [0] * 7 and made.source.tolist() == list(range(7))
    assert output_length(Length(7, Fraction(25)), Length(1, Fraction(30)), policy) == Length(7, Fraction(25))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("min", [1, 3, 5]), ("hold", [1, 3, 5, 5, 5]), ("loop", [1, 3, 5, 1, 3]), ("ping-pong", [1, 3, 5, 3, 1])],
)
def test_a_driving_at_another_rate_goes_on_after_its_resampled_end(policy: LengthPolicy, expected: list[int]) -> None:
    """Six frames at 50 a second are three at 25, in whose middles the second of each two comes on."""
    made = schedule(Length(5, Fraction(25)), Length(6, Fraction(50)), policy)
    assert made.driving.tolist() == expected
