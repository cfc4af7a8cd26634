"""Metrics of self-reenactment: how close a result is to the driving's own frame, if both show the same person and
scene."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.quality.running import Mean
from lp_ray.quality.temporal import luma

PEAK = 255.0
HIGHEST_PSNR = 100.0
"""The PSNR, in dB, of two equal pictures, for which it would be infinite."""

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def psnr(one: Image, other: Image) -> float:
    """Return the peak signal to noise ratio of two pictures of the same shape, in dB, at most HIGHEST_PSNR."""
    _check(one, other)
    error = float(((one.astype(np.float64) - other) ** 2).mean())
    return HIGHEST_PSNR if error == 0 else min(float(10 * np.log10(PEAK**2 / error)), HIGHEST_PSNR)


def ssim(one: Image, other: Image) -> float:
    """Return the mean structural similarity of two pictures' luma, -1 to 1.

    Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, eq. 13: windows are
    Gaussian, 11 x 11, sigma 1.5, and lie wholly in the picture. Raises ValueError for shapes that differ, and pictures
    smaller than a window.
    """
    _check(one, other)
    if min(one.shape[:2]) < _WINDOW:
        raise ValueError(f"SSIM needs pictures of {_WINDOW} x {_WINDOW} pixels at least, not {one.shape[:2]}")
    a, b = luma(one).astype(np.float64), luma(other).astype(np.float64)
    mean_a, mean_b = _local(a), _local(b)
    spread_a, spread_b = _local(a * a) - mean_a**2, _local(b * b) - mean_b**2
    together = _local(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    shape = (2 * together + _C2) / (spread_a + spread_b + _C2)
    return float((light * shape).mean())


class ReenactmentMeter:
    """psnr, ssim."""

    def __init__(self) -> None:
        self._psnr, self._ssim = Mean(), Mean()

    def add(self, frames: NDArray[np.uint8], targets: NDArray[np.uint8]) -> None:
        """Add n frames of the result and of the driving, n x H x W x 3 each."""
        for frame, target in zip(frames, targets, strict=True):
            self._psnr.add(psnr(frame, target))
            self._ssim.add(ssim(frame, target))

    def merge(self, later: ReenactmentMeter) -> None:
        """Add what another meter has measured."""
        self._psnr.merge(later._psnr)
        self._ssim.merge(later._ssim)

    def row(self) -> dict[str, float | None]:
        """Return the values by metric."""
        return {"psnr": self._psnr.value, "ssim": self._ssim.value}


def _check(one: Image, other: Image) -> None:
    if one.shape != other.shape:
        raise ValueError(f"pictures of {one.shape} and {other.shape} do not compare")


def _local(values: NDArray[np.float64]) -> NDArray[np.float64]:
    blurred = cv2.GaussianBlur(values, (_WINDOW, _WINDOW), _SIGMA)
    rim = _WINDOW // 2
    return blurred[rim:-rim, rim:-rim].astype(np.float64, copy=False)
