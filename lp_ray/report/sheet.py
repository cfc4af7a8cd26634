"""Contact sheets for people to judge by eye: a driving's frames above the frames of every source that it drove."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from lp_ray.base.arrays import Image

CELL = 192
"""Side of one picture on the sheet, pixels."""

GAP = 4
LABEL_HEIGHT = 18
INK = (32, 32, 32)
PAPER = (255, 255, 255)


def sheet_times(n_frames: int, columns: int) -> list[int]:
    """Return frame numbers spread evenly over a clip, including the first and the last."""
    return [round(float(time)) for time in np.linspace(0, n_frames - 1, columns)]


def pick_frames(frames: Iterable[Image], wanted: Sequence[int]) -> list[Image]:
    """Return the wanted frames of a stream, in order, scaled to cells. Reads the stream no further than needed."""
    cells: dict[int, Image] = {}
    for number, frame in enumerate(frames):
        if number in wanted:
            cells[number] = fit_cell(frame)
        if number >= max(wanted):
            break
    return [cells[number] for number in wanted if number in cells]


def fit_cell(image: Image) -> Image:
    """Scale a picture into a square cell, centred on a plain background."""
    height, width = image.shape[:2]
    scale = CELL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    cell = np.full((CELL, CELL, 3), PAPER, np.uint8)
    top, left = (CELL - size[1]) // 2, (CELL - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = small
    return cell


def contact_sheet(title: str, rows: Sequence[tuple[str, Sequence[Image]]]) -> Image:
    """Lay out labelled rows of cells (the driving first) as one picture, H x W x 3 RGB."""
    columns = max(len(cells) for _, cells in rows)
    width = GAP + columns * (CELL + GAP)
    height = LABEL_HEIGHT + GAP + len(rows) * (LABEL_HEIGHT + CELL + GAP)
    sheet = np.full((height, width, 3), PAPER, np.uint8)
    _write(sheet, title, GAP, LABEL_HEIGHT - 4)
    top = LABEL_HEIGHT + GAP
    for label, cells in rows:
        _write(sheet, label, GAP, top + LABEL_HEIGHT - 5)
        top += LABEL_HEIGHT
        for column, cell in enumerate(cells):
            left = GAP + column * (CELL + GAP)
            sheet[top : top + CELL, left : left + CELL] = cell
        top += CELL + GAP
    return sheet


def _write(sheet: Image, text: str, x: int, y: int) -> None:
    printable = text.encode("ascii", "replace").decode()  # OpenCV's fonts know ASCII only
    cv2.putText(sheet, printable, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
