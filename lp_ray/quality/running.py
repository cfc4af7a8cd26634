"""Statistics over the frames of a video in limited memory, piece by piece.

Every class takes pieces in order (`add`), or the statistics of the next part of the video, computed separately
(`merge`). However a video is cut, the result is the same except for rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Mean:
    """Mean of all finite values."""

    def __init__(self) -> None:
        self._total, self._count = 0.0, 0

    def add(self, values: NDArray[np.floating] | float) -> None:
        """Add values of any shape. Values that are not finite do not count."""
        values = np.asarray(values, np.float64)
        finite = values[np.isfinite(values)]
        self._total += float(finite.sum())
        self._count += finite.size

    def merge(self, later: Mean) -> None:
        """Add the values of another mean."""
        self._total += later._total
        self._count += later._count

    @property
    def value(self) -> float | None:
        """The mean, or None if no value counted."""
        return self._total / self._count if self._count else None


class Largest:
    """Largest of all finite values."""

    def __init__(self) -> None:
        self._largest = -np.inf

    def add(self, values: NDArray[np.floating] | float) -> None:
        """Add values of any shape. Values that are not finite do not count."""
        values = np.asarray(values, np.float64)
        self._largest = max(self._largest, float(values.max(initial=-np.inf, where=np.isfinite(values))))

    def merge(self, later: Largest) -> None:
        """Add the values of another one."""
        self._largest = max(self._largest, later._largest)

    @property
    def value(self) -> float | None:
        """The largest value, or None if no value counted."""
        return self._largest if np.isfinite(self._largest) else None


class LongestRun:
    """Longest run of true values."""

    def __init__(self) -> None:
        self._head = self._best = self._tail = self._count = 0

    def add(self, flags: NDArray[np.bool_]) -> None:
        """Add the flags of frames in order."""
        for flag in flags.tolist():
            self._count += 1
            self._tail = self._tail + 1 if flag else 0
            self._best = max(self._best, self._tail)
            if self._tail == self._count:
                self._head = self._count

    def merge(self, later: LongestRun) -> None:
        """Add the flags of the next part."""
        self._best = max(self._best, later._best, self._tail + later._head)
        if self._head == self._count:
            self._head += later._head
        self._tail = later._tail + (self._tail if later._tail == later._count else 0)
        self._count += later._count

    @property
    def value(self) -> int:
        """The length of the run, 0 if no flag was true."""
        return self._best


class Edges:
    """The first and last rows of a track, for measures on windows of `window` rows.

    `add` and `merge` return rows whose windows are exactly those not seen before.
    """

    def __init__(self, window: int) -> None:
        self._keep = window - 1
        self._head: NDArray[Any] | None = None
        self._tail: NDArray[Any] | None = None

    def add(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Add the next rows, n x ...; return them preceded by the last rows kept."""
        seen = rows if self._tail is None else np.concatenate([self._tail, rows])
        self._head = seen[: self._keep].copy() if self._head is None else self._extended(rows)
        self._tail = _last(seen, self._keep)
        return seen

    def merge(self, later: Edges) -> NDArray[Any] | None:
        """Add the next part; return the rows on both sides of the joint, None if either part has none."""
        if later._head is None or later._tail is None:
            return None
        if self._head is None or self._tail is None:
            self._head, self._tail = later._head, later._tail
            return None
        joint = np.concatenate([self._tail, later._head])
        self._head = self._extended(later._head)
        # A part shorter than a window is whole in its own tail: what is missing comes from before it.
        self._tail = _last(np.concatenate([self._tail, later._tail]), self._keep)
        return joint

    @property
    def kept(self) -> int:
        """How many of the last rows are kept: fewer than the window."""
        return 0 if self._tail is None else len(self._tail)

    def _extended(self, rows: NDArray[Any]) -> NDArray[Any]:
        assert self._head is not None
        lacking = self._keep - len(self._head)
        return np.concatenate([self._head, rows[:lacking]]) if lacking > 0 else self._head


class LaggedCorrelation:
    """Pearson correlation of two tracks, at every lag up to `reach` frames. Rows that are not finite do not count."""

    def __init__(self, reach: int) -> None:
        self._lags = range(-reach, reach + 1)
        self._sums = np.zeros((len(self._lags), 6))  # count, x, y, xx, yy, xy
        self._edges = Edges(reach + 1)

    def add(self, x: NDArray[np.floating], y: NDArray[np.floating]) -> None:
        """Add the next n values of both tracks."""
        rows = np.stack([x, y], 1).astype(np.float64)
        seen = self._edges.add(rows)
        self._count(seen, len(seen) - len(rows), crossing=False)

    def merge(self, later: LaggedCorrelation) -> None:
        """Add the next part of the tracks. Raises ValueError for another reach."""
        if self._lags != later._lags:
            raise ValueError(f"lags up to {self._lags[-1]} and {later._lags[-1]} frames do not go together")
        self._sums += later._sums
        before = self._edges.kept
        joint = self._edges.merge(later._edges)
        if joint is not None:
            self._count(joint, before, crossing=True)

    def at(self, lag: int, least_spread: float) -> float | None:
        """Return the correlation of x at one frame with y `lag` frames later.

        None if fewer than three pairs count, or if the standard deviation of either track is below `least_spread`: a
        face that hardly moves has no correlation, only noise.
        """
        count, *sums = self._sums[self._lags.index(lag)]
        if count < 3:
            return None
        x, y, xx, yy, xy = (total / count for total in sums)
        spread_x, spread_y = (np.sqrt(max(square - mean * mean, 0.0)) for square, mean in ((xx, x), (yy, y)))
        if min(spread_x, spread_y) < least_spread:
            return None
        return float(np.clip((xy - x * y) / (spread_x * spread_y), -1, 1))

    def best(self, least_spread: float) -> tuple[int, float] | None:
        """Return the lag with the highest correlation, and that correlation; of equal ones, the shorter lag.

        Lags with fewer than half as many counted pairs as lag 0 are left out.
        """
        enough = self._sums[self._lags.index(0), 0] / 2
        found = [
            (value, -abs(lag), lag)
            for lag, sums in zip(self._lags, self._sums, strict=True)
            if sums[0] >= enough and (value := self.at(lag, least_spread)) is not None
        ]
        if not found:
            return None
        value, _, lag = max(found)
        return lag, value

    def _count(self, rows: Array, start: int, crossing: bool) -> None:
        """Add pairs that reach into rows[start:]; with `crossing`, only those that also reach before it."""
        known_x, known_y = np.isfinite(rows[:, 0]), np.isfinite(rows[:, 1])
        for sums, lag in zip(self._sums, self._lags, strict=True):
            first = np.arange(max(0, -lag), len(rows) - max(0, lag))
            second = first + lag
            wanted = (np.maximum(first, second) >= start) & known_x[first] & known_y[second]
            if crossing:
                wanted &= np.minimum(first, second) < start
            x, y = rows[first[wanted], 0], rows[second[wanted], 1]
            sums += (len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y)


def _last(rows: NDArray[Any], count: int) -> NDArray[Any]:
    return rows[max(len(rows) - count, 0) :].copy()
