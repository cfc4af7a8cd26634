"""All private names of torch that the package uses, in one place. Check them when torch is updated (last: 2.13).

oneDNN's matrix product with weights laid out for it once is what torch.compile calls for frozen weights on a CPU. No
public name takes and gives ordinary tensors. The public `bmm` asks MKL, which does not use all of an AMD processor:
`python -m benchmarks.engine.libraries` compares them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

import torch
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function, variants: int) -> Function:
    """Return a function as `torch.compile` makes it, for any sizes, whole or not at all, in so many variants at most.

    torch keeps its limit for each thread, and leaves uncompiled, or refuses, what goes beyond it.
    """
    import torch._dynamo.config as compiler  # takes a second, and most engines never compile

    made = torch.compile(function, dynamic=True, fullgraph=True)

    @wraps(function)
    def call(*inputs: object) -> object:
        with compiler.patch(recompile_limit=variants):
            return made(*inputs)

    return cast(Function, call)


def packs_products() -> bool:
    """Return whether this torch has oneDNN's product."""
    return bool(torch.backends.mkldnn.is_available()) and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def packed_products() -> tuple[object, ...]:
    """Return the operators that what counts operations must be told of."""
    return (torch.ops.mkldnn._linear_pointwise,) if packs_products() else ()


def packed(matrix: Tensor) -> Tensor:
    """Return C x K, float32 on the CPU, in oneDNN's own layout: an opaque tensor."""
    return cast(Tensor, torch.ops.mkldnn._reorder_linear_weight(matrix.t().contiguous(), None))


def packed_product(rows: Tensor, matrix: Tensor, plus: Tensor | None = None) -> Tensor:
    """Return N x C times a `packed` matrix, plus N x K if given: N x K."""
    if plus is None:
        return cast(Tensor, torch.ops.mkldnn._linear_pointwise(rows, matrix, None, "none", [], ""))
    return cast(Tensor, torch.ops.mkldnn._linear_pointwise.binary(rows, plus, matrix, None, "add"))
