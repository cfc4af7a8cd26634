"""How networks run on a device: directly, or on a GPU as one recorded CUDA graph of static shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from lp_ray.engine.liveportrait.fast.kernels import keep_kernels

Execution = Literal["eager", "graph", "compiled"]
"""eager: operation by operation. graph: recorded once, replayed as one launch. compiled: fused by torch.compile, on a
GPU then recorded."""

WARMUPS = 3

Tensors = tuple[Tensor, ...]
Function = Callable[..., Tensors]


def executed(function: Function, execution: Execution, device: torch.device) -> Function:
    """Return the function in its executable form. The next call overwrites the result of a graph.

    On a CPU that is the function itself, of whose networks parts may be compiled (`fused`). Compiling for a GPU needs
    Triton and a C compiler. Raises RefusedError if its kernels cannot be kept.
    """
    if execution == "eager" or device.type == "cpu":
        return function
    if execution == "compiled":
        keep_kernels()
        function = torch.compile(function, dynamic=False)
    return Graphed(function)


class Graphed:
    """A function of tensors on one GPU. It is recorded at the first call; all later calls must have the same shapes."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: Tensors = ()
        self._outputs: Tensors = ()

    def __call__(self, *inputs: Tensor) -> Tensors:
        with torch.cuda.device(inputs[0].device):
            return self._replay(inputs)

    def _replay(self, inputs: Tensors) -> Tensors:
        if self._graph is None:
            self._record(inputs)
        for place, given in zip(self._inputs, inputs, strict=True):
            place.copy_(given, non_blocking=True)
        assert self._graph is not None
        self._graph.replay()
        return self._outputs

    def _record(self, inputs: Tensors) -> None:
        self._inputs = tuple(given.clone(memory_format=torch.contiguous_format) for given in inputs)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARMUPS):
                self._function(*self._inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = self._function(*self._inputs)
