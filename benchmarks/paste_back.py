"""Paste-back against the plain formulation, side by side on one thread: prints milliseconds and their ratio.

Run from the repository root: python -m benchmarks.paste_back
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.face.crop import Rectangle, invert
from lp_ray.face.paste_back import CROP_SIZE, PasteBack, soft_mask

ROUNDS = 15

# (picture height, width, side of the crop in the picture, its angle in radians)
CASES = ((1280, 1280, 700, 0.0), (1280, 1280, 700, 0.2), (1280, 720, 500, 0.1), (720, 1280, 1000, -0.1))


def plain(original: NDArray[np.uint8], matrix: NDArray[np.float64], frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Warp frame and three-channel mask over the whole picture and blend in float, anew for every frame."""
    size = original.shape[1::-1]
    mask = cv2.warpAffine(np.repeat(soft_mask()[..., None], 3, 2), matrix, size).astype(np.float32) / 255
    warped = cv2.warpAffine(frame, matrix, size)
    return np.clip(mask * warped + (1 - mask) * original, 0, 255).astype(np.uint8)


def milliseconds(call: Callable[[], object]) -> float:
    """Return the time of a call: the least of many, for others share the machine."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def blended(paste: PasteBack, original: NDArray[np.uint8], frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As the job does for an image source: one PasteBack for all frames, blended into a copy of the source."""
    picture = original.copy()
    paste.blend(frame, picture)
    return picture


def blended_anew(matrix: NDArray[np.float64], picture: NDArray[np.uint8], frame: NDArray[np.uint8]) -> None:
    """As the job does for a video source: a PasteBack for this frame alone; the decoded picture is ours."""
    height, width = picture.shape[:2]
    PasteBack((height, width), matrix).blend(frame, picture)


def main() -> None:
    """Print one line per case."""
    cv2.setNumThreads(1)
    noise = np.random.default_rng(0)
    frame = noise.integers(0, 256, (CROP_SIZE, CROP_SIZE, 3), np.uint8)
    for height, width, side, angle in CASES:
        original = noise.integers(0, 256, (height, width, 3), np.uint8)
        square = Rectangle((width / 2, height / 2), side, angle)
        matrix = invert(square.to_crop(CROP_SIZE))
        paste = PasteBack((height, width), matrix)
        slow = milliseconds(partial(plain, original, matrix, frame))
        fast = milliseconds(partial(blended, paste, original, frame))
        anew = milliseconds(partial(blended_anew, matrix, original.copy(), frame))
        gap = np.abs(plain(original, matrix, frame).astype(int) - blended(paste, original, frame)).max()
        print(
            f"{width} x {height}, crop {side} at {angle:+.1f} rad: plain {slow:.1f} ms; ours {fast:.1f} ms, "
            f"{slow / fast:.1f} x faster; made anew per frame {anew:.1f} ms, {slow / anew:.1f} x faster; "
            f"at most {gap} grey levels apart"
        )


if __name__ == "__main__":
    main()
