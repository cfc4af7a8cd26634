"""Statistics of pieces are those of the whole, however it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.quality.running import Array, Edges, LaggedCorrelation, Largest, LongestRun, Mean

cuts = st.lists(st.integers(0, 40), max_size=5).map(sorted)


def pieces(rows: Array, at: Sequence[int]) -> list[Array]:
    """Cut rows before these indices; pieces may be empty."""
    ends = [0, *(min(i, len(rows)) for i in at), len(rows)]
    return [rows[a:b] for a, b in itertools.pairwise(ends)]


def track(n: int, seed: int, gaps: float = 0.0) -> Array:
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, n).cumsum()
    values[random.random(n) < gaps] = np.nan
    return values


@given(st.integers(0, 40), st.integers(0, 99), cuts)
def test_mean_and_largest(n: int, seed: int, at: list[int]) -> None:
    values = track(n, seed, 0.2)
    mean, largest = Mean(), Largest()
    for piece in pieces(values, at):
        part, top = Mean(), Largest()
        part.add(piece)
        top.add(piece)
        mean.merge(part)
        largest.merge(top)
    finite = values[np.isfinite(values)]
    if len(finite):
        assert mean.value == pytest.approx(finite.mean()) and largest.value == finite.max()
    else:
        assert mean.value is largest.value is None


@given(st.lists(st.booleans(), max_size=40), cuts, st.integers(0, 5))
def test_longest_run(flags: list[bool], at: list[int], added: int) -> None:
    """Some pieces are added, the others merged."""
    runs = LongestRun()
    for i, piece in enumerate(pieces(np.array(flags, float), at)):
        if i < added:
            runs.add(piece.astype(bool))
        else:
            part = LongestRun()
            part.add(piece.astype(bool))
            runs.merge(part)
    text = "".join("x" if flag else " " for flag in flags)
    assert runs.value == max(map(len, text.split()), default=0)


@given(st.integers(0, 40), st.integers(1, 6), cuts, st.integers(0, 6))
def test_edges_show_every_window_once(n: int, window: int, at: list[int], added: int) -> None:
    edges, seen = Edges(window), []
    for i, piece in enumerate(pieces(np.arange(n), at)):
        if i < added:
            looked = [edges.add(piece)]
        else:
            part = Edges(window)
            looked = [part.add(piece), edges.merge(part)]
        seen += [
            tuple(rows[k : k + window]) for rows in looked if rows is not None for k in range(len(rows) - window + 1)
        ]
    assert sorted(seen) == [tuple(range(k, k + window)) for k in range(n - window + 1)]


@given(st.integers(0, 40), st.integers(0, 99), st.integers(0, 6), cuts, st.integers(0, 6))
def test_correlation_at_every_lag(n: int, seed: int, reach: int, at: list[int], added: int) -> None:
    """Equal to numpy's on the whole tracks, gaps left out."""
    x, y = track(n, seed, 0.1), track(n, seed + 1000, 0.1)
    found = LaggedCorrelation(reach)
    for i, (a, b) in enumerate(zip(pieces(x, at), pieces(y, at), strict=True)):
        if i < added:
            found.add(a, b)
        else:
            part = LaggedCorrelation(reach)
            part.add(a, b)
            found.merge(part)
    for lag in range(-reach, reach + 1):
        first, second = x[max(0, -lag) : n - max(0, lag)], y[max(0, lag) : n + min(0, lag)]
        both = np.isfinite(first) & np.isfinite(second) if len(first) == len(second) else np.zeros(0, bool)
        value = found.at(lag, 1e-6)
        if both.sum() < 3:
            assert value is None
        else:
            assert value == pytest.approx(np.corrcoef(first[both], second[both])[0, 1], abs=1e-6)


def test_the_best_lag_is_that_of_a_shifted_track() -> None:
    x = track(60, 3)
    found = LaggedCorrelation(8)
    found.add(x[5:], x[:-5])
    assert found.best(0.01) == (5, pytest.approx(1.0))


def test_what_does_not_move_has_no_correlation() -> None:
    found = LaggedCorrelation(3)
    found.add(np.linspace(0, 1, 30), 0.3 + 1e-3 * track(30, 1) / 30)
    assert found.best(0.01) is None and found.at(0, 0.01) is None


def test_other_reaches_do_not_merge() -> None:
    with pytest.raises(ValueError, match="lags up to 3 and 4"):
        LaggedCorrelation(3).merge(LaggedCorrelation(4))
