"""Put an animated crop back into the whole source picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image, Matrix

CROP_SIZE = 512
"""Side of the crops that are pasted back, pixels."""

FADE = 16
"""Width of the rim over which a crop fades out, pixels."""


@cache
def soft_mask() -> NDArray[np.uint8]:
    """Return the weights of a crop's pixels, CROP_SIZE x CROP_SIZE, 0 to 255 (read-only).

    A weight falls linearly with the distance from the inner square, with round corners, as in the reference.
    """
    x = np.arange(CROP_SIZE)
    outside = FADE - np.minimum(np.minimum(x, CROP_SIZE - x), FADE)
    distance = np.hypot(outside[None], outside[:, None])
    mask: NDArray[np.uint8] = np.floor(255 * np.clip(1 - distance / FADE, 0, 1)).astype(np.uint8)
    mask.setflags(write=False)
    return mask


@dataclass(frozen=True)
class Place:
    """Where a crop lies in a picture. `PasteBack` and its form for a GPU take window and weights from here, so that
    they agree about which pixels change."""

    window: tuple[slice, slice]
    """Rows and columns of the picture that the crop can reach."""
    matrix: Matrix
    """Maps crop pixels to pixels of the window, 2 x 3 float64."""
    weights: NDArray[np.uint8]
    """Weights of the window's pixels, 0 to 255."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the window, pixels."""
        return self.weights.shape[1], self.weights.shape[0]


def place_of(crop_to_original: Matrix, shape: tuple[int, ...]) -> Place | None:
    """Return where a crop lies in a picture of `shape` (height, width); None if it lies off the picture.

    `crop_to_original` (2 x 3) maps crop pixels to the picture's.
    """
    x0, y0, x1, y1 = _reach(crop_to_original, shape)
    if x0 >= x1 or y0 >= y1:
        return None
    matrix = crop_to_original.astype(np.float64)
    matrix[:, 2] -= (x0, y0)
    weights = cv2.warpAffine(soft_mask(), matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    return Place((slice(y0, y1), slice(x0, x1)), matrix, _as_bytes(weights))


class PasteBack:
    """Blends crops into pictures, always at the same place. Not thread-safe: it reuses buffers.

    It changes only the rectangle that the crop can reach, and blends only the rim where the crop fades out; inside the
    rim, the warped crop is copied. The weights are warped once, with one channel. Building one object is cheap enough
    to do it for every frame of a source video, where the place differs from frame to frame.
    """

    def __init__(self, shape: tuple[int, int], crop_to_original: Matrix, channels: int = 3) -> None:
        """`shape` is the height and width of the pictures; `crop_to_original` (2 x 3) maps crop pixels to theirs.

        `channels` is 3, or 4 for pictures that say how opaque their pixels are.
        """
        self._shape = (*shape, channels)
        self._whole = np.dtype((np.void, channels))  # a pixel as one value: faster to put than each of its values
        place = place_of(crop_to_original, shape)
        self._empty = place is None
        if place is None:
            return
        self._window, self._matrix, self._size, self._mask = place.window, place.matrix, place.size, place.weights
        x0, y0 = self._window[1].start, self._window[0].start
        self._warped = np.empty((*self._mask.shape, channels), np.uint8)
        flat = self._mask.reshape(-1)
        self._rim = np.flatnonzero(flat - np.uint8(1) < 254)  # 0 wraps around: neither 0 nor 255
        down = self._rim // self._size[0]
        self._behind = self._rim + down * (shape[1] - self._size[0]) + (y0 * shape[1] + x0)
        self._weights = np.repeat(flat[self._rim] / np.float32(255), channels).reshape(-1, channels)
        self._rests = 1 - self._weights
        self._pixels = np.empty(self._weights.shape, np.uint8)
        self._front, self._back = np.empty_like(self._weights), np.empty_like(self._weights)

    def blend(self, frame: Image, picture: Image) -> None:
        """Blend `frame` (CROP_SIZE x CROP_SIZE x channels) into `picture` (H x W x channels), in place.

        The rim is mixed with the present content of `picture`, so that several faces can be pasted one after the other.
        Raises ValueError for a frame or a picture of another shape, or a picture that is not writable and contiguous.
        """
        n = self._shape[2]
        if frame.shape != (CROP_SIZE, CROP_SIZE, n) or frame.dtype != np.uint8:
            raise ValueError(
                f"frame of shape {frame.shape}, {frame.dtype}; paste-back takes {CROP_SIZE} x {CROP_SIZE} x {n}"
            )
        if picture.shape != self._shape or picture.dtype != np.uint8:
            raise ValueError(f"picture of shape {picture.shape}, {picture.dtype}; expected uint8, {self._shape}")
        if not (picture.flags.c_contiguous and picture.flags.writeable):
            raise ValueError("paste-back writes into the picture: give a writable array in one piece, or a copy")
        if self._empty:
            return
        cv2.warpAffine(frame, self._matrix, self._size, dst=self._warped, flags=cv2.INTER_LINEAR)
        flat = self._warped.reshape(-1, n)
        np.take(flat, self._rim, 0, out=self._pixels, mode="clip")  # "clip": any other mode copies
        np.multiply(self._pixels, self._weights, out=self._front)
        np.take(picture.reshape(-1, n), self._behind, 0, out=self._pixels, mode="clip")
        np.multiply(self._pixels, self._rests, out=self._back)
        self._front += self._back
        np.copyto(self._pixels, self._front, casting="unsafe")  # truncates, as the reference does
        np.put(flat.view(self._whole), self._rim, self._pixels.view(self._whole))
        cv2.copyTo(self._warped, self._mask, picture[self._window])


def _as_bytes(array: NDArray[np.generic]) -> NDArray[np.uint8]:
    return array.astype(np.uint8, copy=False)


def _reach(matrix: Matrix, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the rectangle of whole pixels (x0, y0, x1, y1) that a crop can reach in a picture."""
    ends = np.array([(-1, -1), (CROP_SIZE, -1), (CROP_SIZE, CROP_SIZE), (-1, CROP_SIZE)], np.float64)
    corners = ends @ matrix[:, :2].T + matrix[:, 2]
    low = np.clip(np.floor(corners.min(0)), 0, shape[1::-1]).astype(int)
    high = np.clip(np.ceil(corners.max(0)) + 1, 0, shape[1::-1]).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
