"""Contact sheets show the frames they were asked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lp_ray.base.arrays import Image
from lp_ray.report.sheet import CELL, contact_sheet, fit_cell, pick_frames, sheet_times


def test_times_spread_from_first_to_last() -> None:
    assert sheet_times(101, 5) == [0, 25, 50, 75, 100]
    assert sheet_times(1, 3) == [0, 0, 0]


def test_frames_are_picked_in_order_and_reading_stops_at_the_last() -> None:
    read = []

    def frames() -> Iterator[Image]:
        for value in range(10):
            read.append(value)
            yield np.full((8, 8, 3), value, np.uint8)

    cells = pick_frames(frames(), [0, 3, 3, 5])
    assert [int(cell[CELL // 2, CELL // 2, 0]) for cell in cells] == [0, 3, 3, 5]
    assert read == list(range(6))


def test_a_wide_picture_is_fitted_whole() -> None:
    cell = fit_cell(np.zeros((50, 200, 3), np.uint8))
    assert cell.shape == (CELL, CELL, 3)
    assert cell[0].min() == 255 and cell[CELL // 2].max() == 0


def test_rows_of_different_lengths_make_one_sheet() -> None:
    black = np.zeros((CELL, CELL, 3), np.uint8)
    sheet = contact_sheet("驱动", [("a", [black, black]), ("b", [black])])
    assert sheet.shape[1] > 2 * CELL and sheet.shape[0] > 2 * CELL
    assert (sheet == 0).all(-1).sum() >= 3 * CELL * CELL
