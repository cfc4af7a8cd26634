"""The end of a frame on the device: rendered crops are pasted into the source's picture and leave as yuv420p."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lp_ray.base.arrays import Image
from lp_ray.face.crop import invert
from lp_ray.face.paste_on_device import PasteBackOnDevice, pictures_of
from lp_ray.media.yuv_on_device import to_yuv420p

AT_ONCE = 8
"""Frames that are finished at a time: whole pictures as float32 take much more memory than crops."""


class Finisher:
    """Finishes frames of one source picture."""

    def __init__(self, picture: Image, to_crop: NDArray[np.float64], device: torch.device) -> None:
        """`picture` is H x W x 3 RGB uint8; `to_crop` (faces x 2 x 3) maps it to each face's crop."""
        shape = (picture.shape[0], picture.shape[1])
        self._pastes = [PasteBackOnDevice(shape, invert(matrix), device) for matrix in to_crop]
        self._picture, self._device = picture, device
        self._height, self._width = (side - side % 2 for side in shape)

    def planes(self, faces: Sequence[Tensor]) -> NDArray[np.uint8]:
        """Return n finished frames, n x (3 h / 2) x w uint8: Y, below it U and V (`lp_ray.media.yuv_on_device`).

        `faces` are the crops of each face, n x 512 x 512 x 3 uint8 on the device; those of later faces lie over those
        of earlier ones.
        """
        n = len(faces[0])
        planes = np.empty((n, self._height * 3 // 2, self._width), np.uint8)
        with torch.inference_mode():
            for start in range(0, n, AT_ONCE):
                stop = min(start + AT_ONCE, n)
                pictures = pictures_of(self._picture, stop - start, self._device)
                for paste, frames in zip(self._pastes, faces, strict=True):
                    paste.blend(frames[start:stop], pictures)
                planes[start:stop] = to_yuv420p(pictures).cpu().numpy().reshape(stop - start, *planes.shape[1:])
        return planes
