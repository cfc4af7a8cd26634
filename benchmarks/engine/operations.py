"""Floating-point operations executed (2 per product and sum), and what the machine's matrix product reaches."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from lp_ray.engine.liveportrait.fast import torch_private


def counted(function: Callable[[], object]) -> int:
    """Return the operations of one call: convolutions and matrix products as they are executed.

    A Fourier transform's own operations are left out, and its complex products counted once: ours then reads low. What
    is compiled is run uncompiled for it, which multiplies matrices as often.
    """
    packed = dict.fromkeys(torch_private.packed_products(), _packed_product)
    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False, custom_mapping=packed) as counter:
        function()
    return int(counter.get_total_flops())


def _packed_product(rows: torch.Size, *_: object, out_shape: torch.Size, **__: object) -> int:
    return 2 * rows.numel() * out_shape[-1]


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return operations per second of a large square product of random matrices, the best of several."""
    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    best = 0.0
    for _ in range(8):
        synchronize(device)
        started = time.perf_counter()
        torch.mm(a, b)
        synchronize(device)
        best = max(best, 2 * n**3 / (time.perf_counter() - started))
    return best


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
