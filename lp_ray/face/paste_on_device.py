"""Paste-back with torch: `PasteBack` for frames that lie on a GPU.

The same pixels as `lp_ray.face.paste_back.PasteBack`, within 1 of 255 for each face. Window and weights are the same
arrays, so exactly the same pixels change. Only the warp's last bit may differ: OpenCV adds in an order that depends on
the machine's vector instructions.
"""

from __future__ import annotations

import cv2
import torch
from torch import Tensor

from lp_ray.base.arrays import Image, Matrix
from lp_ray.face.paste_back import CROP_SIZE, place_of

_BORDER = 2
"""Black pixels around a frame: the warp reads them where it reaches past the frame, so that it needs no cases."""


class PasteBackOnDevice:
    """Blends crops into pictures, always at the same place, any number of frames at once.

    Makes its tables once: for each pixel of the window, the four pixels of the crop that it lies between.
    """

    def __init__(self, shape: tuple[int, int], crop_to_original: Matrix, device: torch.device) -> None:
        """`shape` is the height and width of the pictures; `crop_to_original` (2 x 3) maps crop pixels to theirs."""
        self._shape = shape
        place = place_of(crop_to_original, shape)
        self._empty = place is None
        if place is None:
            return
        self._window = place.window
        self._size = height, width = place.weights.shape
        back = torch.from_numpy(cv2.invertAffineTransform(place.matrix)).to(device)
        down = torch.arange(height, dtype=torch.float64, device=device)[:, None]
        right = torch.arange(width, dtype=torch.float64, device=device)
        x, self._x_share = _parted(back[0, 0] * right + (back[0, 1] * down + back[0, 2]))
        y, self._y_share = _parted(back[1, 0] * right + (back[1, 1] * down + back[1, 2]))
        self._side = CROP_SIZE + 2 * _BORDER
        self._upper_left = (y * self._side + x).flatten()
        weights = torch.from_numpy(place.weights).to(device)
        self._weights = (weights.to(torch.float32) / 255)[..., None]

    def blend(self, frames: Tensor, pictures: Tensor) -> None:
        """Blend `frames` (n x CROP_SIZE x CROP_SIZE x 3) into `pictures` (n x H x W x 3), uint8, in place.

        The rim is mixed with the present content of `pictures`, so that several faces can be pasted one after the
        other. Raises ValueError for tensors of other shapes or types.
        """
        n = len(pictures)
        wanted = {(n, CROP_SIZE, CROP_SIZE, 3): frames, (n, *self._shape, 3): pictures}
        for shape, given in wanted.items():
            if given.shape != shape or given.dtype != torch.uint8:
                raise ValueError(f"paste-back got {given.dtype} of shape {tuple(given.shape)}; expected uint8, {shape}")
        if self._empty:
            return
        rows, columns = self._window
        window = pictures[:, rows, columns]
        front = self._warped(frames).mul_(self._weights)
        # As the CPU form: products rounded to float32 one by one, and the sum cut off.
        back = window.to(torch.float32).mul_(1 - self._weights)
        window.copy_(front.add_(back))

    def _warped(self, frames: Tensor) -> Tensor:
        """Return n x h x w x 3 float32 of whole numbers: what the window sees of the frames."""
        framed = torch.nn.functional.pad(frames, (0, 0, _BORDER, _BORDER, _BORDER, _BORDER)).flatten(1, 2)

        def corner(step: int) -> Tensor:
            taken: Tensor = framed.index_select(1, self._upper_left + step)
            return torch.unflatten(taken, 1, self._size).to(torch.float32)

        def between(left: Tensor, right: Tensor, share: Tensor) -> Tensor:
            return right.sub_(left).mul_(share).add_(left)

        upper = between(corner(0), corner(1), self._x_share)
        lower = between(corner(self._side), corner(self._side + 1), self._x_share)
        return between(upper, lower, self._y_share).round_()


def _parted(places: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixel before each place, as an index into a bordered frame (int64), and the share of the next one,
    h x w x 1 float32. Places past the border become places in it."""
    before = places.floor()
    index = before.clamp(-_BORDER, CROP_SIZE).to(torch.int64) + _BORDER
    return index, (places - before).to(torch.float32)[..., None]


def pictures_of(source: Image, n: int, device: torch.device) -> Tensor:
    """Return `n` copies of a source picture (H x W x 3 uint8) on a device, to be pasted into: n x H x W x 3."""
    return torch.from_numpy(source).to(device).expand(n, *source.shape).clone()
