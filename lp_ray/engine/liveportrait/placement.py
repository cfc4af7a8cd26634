"""Choose the device and precision for the networks. Nothing falls back silently."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import cast, get_args

import torch
from torch.nn.utils import convert_conv2d_weight_memory_format

from lp_ray.base.errors import RefusedError
from lp_ray.engine.liveportrait.fast.execution import Execution
from lp_ray.engine.liveportrait.fast.fused import try_compiling
from lp_ray.engine.liveportrait.networks import Networks

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

LOG = logging.getLogger(__name__)

DEVICE_KINDS = ("cpu", "cuda")

CUDA_BATCH = 8
"""Number of frames per pass of the networks on a GPU."""


def choose_device(name: str) -> torch.device:
    """Return the device of that name: cpu, cuda or cuda:N. Raises RefusedError if it does not exist."""
    kind, _, index = name.partition(":")
    if kind not in DEVICE_KINDS or (index and not index.isdecimal()) or (kind == "cpu" and index):
        raise RefusedError(f"engine.device={name!r} must be cpu, cuda or cuda:N")
    if kind == "cuda":
        n = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= n:
            raise RefusedError(
                f"engine.device={name!r}: torch {torch.__version__} sees {n} CUDA devices here; install a CUDA build "
                "of torch on a machine with a GPU (and give the actors num_gpus), or set engine.device=cpu"
            )
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the type that the networks compute in. Raises RefusedError if it is unknown or useless on that device."""
    if name not in PRECISIONS:
        raise RefusedError(f"engine.precision={name!r} must be one of {', '.join(PRECISIONS)}")
    if name == "bfloat16" and device.type == "cuda" and not _computes_bfloat16(device):
        raise RefusedError(
            f"engine.precision=bfloat16: {torch.cuda.get_device_name(device)} has none; use float16 or float32"
        )
    if name != "float32" and device.type == "cpu":
        LOG.warning("engine.precision=%s on a CPU is for checking numbers: most compute it far slower", name)
    return PRECISIONS[name]


def _computes_bfloat16(device: torch.device) -> bool:
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


AUTO = "auto"
"""The value of engine.execution that leaves the choice to the device and the precision."""


def check_execution(asked: str) -> None:
    """Raise RefusedError unless `asked` is a value of engine.execution."""
    known = (AUTO, *get_args(Execution))
    if asked not in known:
        raise RefusedError(f"engine.execution={asked!r} must be one of {', '.join(known)}")


def choose_execution(device: torch.device, dtype: torch.dtype, asked: str = AUTO) -> Execution:
    """Return how to run networks on a device: as `asked`, or by itself on a GPU compiled in half precision, else as a
    graph of exact operations, and on a CPU eagerly.

    On a GPU compiling takes about a minute an actor the first time on a machine and makes frames twice as fast. It
    needs Triton and a C compiler, on a CPU a C++ compiler. What is asked for by name is had or refused (RefusedError);
    auto does with a graph, and warns.
    """
    check_execution(asked)
    if device.type == "cpu":
        return _on_cpu(dtype, asked)
    if asked in ("eager", "graph"):
        return cast(Execution, asked)
    if asked == AUTO and dtype == torch.float32:
        return "graph"
    lacking = [name for name, found in (("triton", find_spec("triton")), ("a C compiler", _c_compiler())) if not found]
    if not lacking:
        return "compiled"
    if asked == "compiled":
        raise RefusedError(f"engine.execution=compiled needs {' and '.join(lacking)}: use engine.execution=graph")
    LOG.warning("%s missing: networks are not compiled, which halves frames per second", " and ".join(lacking))
    return "graph"


def _on_cpu(dtype: torch.dtype, asked: str) -> Execution:
    if asked in (AUTO, "eager"):
        return "eager"
    if asked == "graph":
        raise RefusedError("engine.execution=graph is for GPUs, and engine.device is cpu: leave it out")
    if dtype != torch.float32:
        raise RefusedError("engine.execution=compiled on a CPU is for engine.precision=float32: leave one of them out")
    try_compiling()
    return "compiled"


def _c_compiler() -> str | None:
    return os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")


def place(networks: Networks, device: torch.device, dtype: torch.dtype) -> None:
    """Move the four picture networks, in place, to their device and precision. 2-D convolutions run channels last.

    M's heads stay float32. So do keypoints, softmaxes and grids; the networks take care of that themselves.
    """
    for network in (networks.appearance, networks.motion, networks.warping, networks.generator):
        network.to(device=device, dtype=dtype)
        convert_conv2d_weight_memory_format(network, torch.channels_last)
    for part in networks.motion.detector.float32_parts():
        part.to(torch.float32)


@contextmanager
def exact_inference() -> Iterator[None]:
    """Switch off gradients, make results deterministic, and make float32 exact (no TF32)."""
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
    ):
        yield
