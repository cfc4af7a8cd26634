"""`python -m benchmarks.engine.libraries`: large convolutions of G and W on this CPU, by each library and by ours.

In turn, on the same numbers: torch's own convolution (oneDNN), ONNX Runtime, OpenVINO where it is installed
(`pip install openvino`), Winograd's tiles by matrix products, and fused (`fused=false` spares compiling). And the
products alone: torch's `bmm` (MKL) against oneDNN's with weights laid out once.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lp_ray.base.pages import keep_freed_memory
from lp_ray.engine.liveportrait.fast.fused import fuse
from lp_ray.engine.liveportrait.fast.pixels import biased
from lp_ray.engine.liveportrait.fast.products import Products
from lp_ray.engine.liveportrait.fast.winograd import Winograd

from .arguments import measure

Row = dict[str, Any]
Run = Callable[[], object]

FREQUENCIES = 36


@dataclass(frozen=True)
class Layer:
    """A 3 x 3 [x 3] convolution of C to K channels over maps of one side."""

    name: str
    inputs: int
    outputs: int
    side: int
    depth: int = 1

    @property
    def taps(self) -> int:
        return 3 if self.depth > 1 else 1


LAYERS = (
    Layer("G, middle blocks", 512, 512, 64),
    Layer("G, gamma and beta", 128, 1024, 64),
    Layer("G, up_0", 256, 256, 128),
    Layer("G, up_1", 256, 64, 256),
    Layer("G, up_1, narrow", 64, 64, 256),
    Layer("W, last of the hourglass", 144, 144, 64, 16),
    Layer("F, first block", 64, 128, 256),
)


@dataclass(frozen=True)
class LibraryBench:
    """What is measured: `rounds` runs of each, of maps that are so many times smaller."""

    rounds: int = 5
    shrink: int = 1
    fused: bool = True


def run(bench: LibraryBench) -> Row:
    """Measure every layer. Raises AssertionError if two disagree."""
    keep_freed_memory()  # as an engine's process does
    with torch.inference_mode():
        rows = [{**vars(layer), **_layer(layer, bench)} for layer in LAYERS]
    return {**vars(bench), "threads": torch.get_num_threads(), "rows": rows}


def _layer(layer: Layer, bench: LibraryBench) -> Row:
    random = torch.Generator().manual_seed(0)
    side = max(8, layer.side // bench.shrink)
    x = torch.randn(1, layer.inputs, layer.depth, side, side, generator=random)
    weight = torch.randn(layer.outputs, layer.inputs, layer.taps, 3, 3, generator=random)
    weight /= (9 * layer.taps * layer.inputs) ** 0.5
    bias = torch.randn(layer.outputs, generator=random)
    ways = {
        "torch": _torch(x, weight, bias),
        "ONNX Runtime": _onnxruntime(x, weight, bias),
        **({"OpenVINO": _openvino(x, weight, bias)} if find_spec("openvino") else {}),
        "tiles": _tiles(x, weight, bias, False),
        **({"tiles, fused": _tiles(x, weight, bias, True)} if bench.fused else {}),
    }
    expected = ways["torch"]()
    for name, way in ways.items():
        torch.testing.assert_close(torch.as_tensor(way()), expected, atol=2e-4, rtol=2e-4, msg=name)
    products = torch.randn(FREQUENCIES, layer.depth * side**2 // 16, layer.inputs, generator=random)
    matrices = torch.randn(1, FREQUENCIES, layer.inputs, layer.outputs, generator=random)
    packed = Products(matrices)
    ways |= {"bmm": lambda: torch.bmm(products, matrices[0]), "packed": lambda: packed(products[:, None])}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(bench.rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - started)
    return {"ms": {name: 1e3 * statistics.median(taken) for name, taken in times.items()}}


def _torch(x: Tensor, weight: Tensor, bias: Tensor) -> Callable[[], Tensor]:
    if x.shape[2] > 1:
        laid = x.contiguous(memory_format=torch.channels_last_3d)
        return lambda: functional.conv3d(laid, weight, bias, padding=1)
    laid, flat = (part[:, :, 0].contiguous(memory_format=torch.channels_last) for part in (x, weight))
    return lambda: functional.conv2d(laid, flat, bias, padding=1)[:, :, None]


def _tiles(x: Tensor, weight: Tensor, bias: Tensor, fused: bool) -> Callable[[], Tensor]:
    layer, pixels = Winograd(weight, bias), x.permute(0, 2, 3, 4, 1).contiguous()
    if fused:
        fuse(layer)
    return lambda: layer(pixels, biased).permute(0, 4, 1, 2, 3)


def _model(x: Tensor, weight: Tensor, bias: Tensor) -> bytes:
    """Return the convolution as an ONNX model."""
    from onnx import TensorProto, helper, numpy_helper

    edge = [weight.shape[2] // 2, 1, 1]
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], pads=[*edge, *edge])
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", "y")]
    ports[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(x.shape))
    held = [numpy_helper.from_array(part.numpy(), name) for part, name in ((weight, "w"), (bias, "b"))]
    graph = helper.make_graph([node], "layer", ports[:1], ports[1:], held)
    opset = helper.make_opsetid("", 17)
    made: bytes = helper.make_model(graph, opset_imports=[opset], ir_version=9).SerializeToString()
    return made


def _onnxruntime(x: Tensor, weight: Tensor, bias: Tensor) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # its threads would slow the next way
    session = onnxruntime.InferenceSession(_model(x, weight, bias), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x.numpy()})[0]


def _openvino(x: Tensor, weight: Tensor, bias: Tensor) -> Callable[[], Any]:
    import openvino  # type: ignore[import-not-found]

    core = openvino.Core()
    model = core.read_model(_model(x, weight, bias), b"")
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = core.compile_model(model, "CPU", settings)
    return lambda: np.array(compiled(x.numpy())[0])


def table(report: Row) -> str:
    """Return the figures as text."""
    names = list(report["rows"][0]["ms"])
    lines = [
        f"{report['threads']} threads, ms; the last two: the {FREQUENCIES} products of the tiles alone",
        "| layer | C -> K | map | " + " | ".join(names) + " |",
        "|---" * (3 + len(names)) + "|",
    ]
    for row in report["rows"]:
        deep = f" x {row['depth']}" if row["depth"] > 1 else ""
        cells = " | ".join(f"{row['ms'][name]:.1f}" for name in names)
        lines.append(f"| {row['name']} | {row['inputs']} -> {row['outputs']} | {row['side']}²{deep} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    measure(LibraryBench, run, table)
