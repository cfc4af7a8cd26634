"""Functions as one loop over memory each, compiled by torch for this machine's CPU (C++ made by Inductor).

One kernel serves all sizes of map: a kernel takes some ten seconds to compile, and is kept (`kernels`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor, nn

from lp_ray.base.errors import RefusedError
from lp_ray.engine.liveportrait.fast.kernels import keep_kernels
from lp_ray.engine.liveportrait.fast.tiles import Finish, joined
from lp_ray.engine.liveportrait.fast.torch_private import Function, compiled

VARIANTS = 64
"""Of a kernel, at most: one for maps of one plane, one for volumes, and so on. More are an error."""


class Fusible(nn.Module):
    """A network with parts that can be fused."""

    fused = False

    def loop(self, function: Function) -> Function:
        """Return the function, fused if the network is."""
        return fused(function) if self.fused else function


def fuse(network: nn.Module) -> None:
    """Fuse, in place, all parts of a network that can be fused."""
    for part in network.modules():
        if isinstance(part, Fusible):
            part.fused = True


@cache
def fused(function: Function) -> Function:
    """Return a function of tensors as one that torch compiles at its first call.

    Raises RefusedError if its kernel cannot be kept.
    """
    keep_kernels()
    return compiled(function, VARIANTS)


def try_compiling() -> None:
    """Compile the smallest kernel. Raises RefusedError if torch cannot compile for this machine's CPU."""
    try:
        with torch.inference_mode():
            fused(_twice)(torch.ones(2, 2))
    except RefusedError:
        raise
    except Exception as error:  # of torch's compiler, whatever kind it gives
        said = next((line for line in str(error).splitlines() if "rror" in line), type(error).__name__)
        raise RefusedError(
            "engine.execution=compiled: torch cannot compile for this CPU; install a C++ compiler (g++) and the "
            f"headers of this Python (python3-dev), or leave the setting out. {said}"
        ) from error


def _twice(x: Tensor) -> Tensor:
    return x + x


@cache
def fused_finish(finish: Finish) -> Callable[..., Tensor]:
    """Return what makes n^2 products, D x h x w x K, to the finished pixels, D x 4h x 4w x C, in one loop."""

    def finished(products: Sequence[Tensor], *beside: Tensor) -> Tensor:
        return finish(joined(products), *beside)

    made: Callable[..., Tensor] = fused(finished)
    return made
