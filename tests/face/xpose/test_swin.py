"""The backbone's windows, shifts and merges at sizes that divide by nothing."""

from __future__ import annotations

import pytest
import torch

from lp_ray.face.xpose.config import TINY
from lp_ray.face.xpose.swin import PatchMerging, Swin, SwinBlock, shift_mask, unwindow, window_offsets, windows

CPU = torch.device("cpu")


def test_window_offsets_are_those_of_the_paper() -> None:
    index = window_offsets()
    for a, b in ((0, 0), (0, 48), (48, 0), (9, 30)):
        ya, xa, yb, xb = a // 7, a % 7, b // 7, b % 7
        assert index[a, b] == (ya - yb + 6) * 13 + (xa - xb + 6)


def test_unwindow_undoes_windows_which_go_row_by_row() -> None:
    x = torch.randn(2, 14, 21, 3)
    cut = windows(x)
    assert cut.shape == (2, 6, 49, 3)
    assert torch.equal(cut[1, 4].view(7, 7, 3), x[1, 7:14, 7:14])
    assert torch.equal(unwindow(cut, 14, 21), x)


def test_shift_mask_keeps_wrapped_cells_apart() -> None:
    mask = shift_mask(14, 14, CPU)[:, 0]
    assert mask.shape == (4, 49, 49) and not mask[0].any()
    assert mask[1, 0, 4] == -100 and mask[1, 0, 3] == 0  # columns 7..10 against 11..13, which wrapped
    assert mask[2, 0, 4] == 0 and mask[2, 0, 28] == -100
    assert mask[3, 3, 24] == 0 and mask[3, 3, 48] == -100


def test_a_shifted_block_is_local_across_the_border() -> None:
    """A change in the first column must not reach the last one, which the cyclic shift puts beside it."""
    torch.manual_seed(0)
    block = SwinBlock(8, 2, 3).eval().requires_grad_(False)
    x = torch.randn(1, 14, 14, 8)
    changed = x.clone()
    changed[:, :, 0] = torch.randn(1, 14, 8)
    moved = (block(changed) - block(x)).abs().amax((0, 1, 3))
    assert moved[0] > 0.1 and moved[1:3].min() > 1e-4 and moved[3:].max() < 1e-6


def test_merging_takes_row_parity_first_and_pads_odd_sides() -> None:
    merge = PatchMerging(1).requires_grad_(False)
    merge.norm = torch.nn.Identity()  # type: ignore[assignment]
    merge.reduction.weight.copy_(torch.tensor([[1.0, 10.0, 100.0, 1000.0], [0.0, 0.0, 0.0, 0.0]]))
    x = torch.arange(1.0, 10.0).view(1, 3, 3, 1)
    assert merge(x)[0, :, :, 0].tolist() == [[1 + 40 + 200 + 5000, 3 + 60], [7 + 800, 9]]


@pytest.mark.parametrize("size", [(64, 96), (37, 61), (20, 130)])
def test_sides_are_rounded_up(size: tuple[int, int]) -> None:
    maps = Swin(TINY).eval()(torch.zeros(1, 3, *size))
    sides = [-(-n // 4) for n in size]
    for i, x in enumerate(maps):
        sides = [-(-n // 2) for n in sides]
        assert x.shape == (1, TINY.swin_widths[i + 1], *sides)
