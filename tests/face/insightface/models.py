"""Small ONNX models with the inputs and outputs of the official ones, that answer what a picture's colours say.

A drawn face is a blue square; the dot in its middle says how the detector sees it: red is the score (of 255), green
half the side of the box, in pixels of the detector's 512. The landmark models find the blue square in their crop
and answer a fixed pattern of points on it. So all results can be computed by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lp_ray.face.insightface.files import ARCFACE, DETECTOR, FILES, POINTS_106, POINTS_203, ModelFiles
from lp_ray.models.artefacts import ARTEFACTS, LICENCES
from lp_ray.models.store import LockEntry, WeightStore

DOT = 16
"""Side of the dot, pixels: with its corner on a multiple of 32 it covers anchors of every stride."""

STRIDES = (8, 16, 32)
_EYES_MOUTH = {106: ((33, 35, 40, 39), (87, 89, 94, 93), (52, 61)), 203: ((0, 6, 12, 18), (24, 30, 36, 42), (48, 66))}


def pattern(n_points: int) -> NDArray[np.float64]:
    """Return n_points x 2 on the unit square about 0: eyes above the mouth, two points in the corners.

    Of 203 the eyes are open by 0.4 of their width, the lips by a third.
    """
    points = np.random.default_rng(n_points).uniform(-0.5, 0.5, (n_points, 2))
    left, right, mouth = _EYES_MOUTH[n_points]
    points[list(left)], points[list(right)], points[list(mouth)] = (-0.25, -0.25), (0.25, -0.25), (0.0, 0.3)
    points[[1, 2]] = (-0.5, -0.5), (0.5, 0.5)
    if n_points == 203:  # those that ratios are taken of: eyes and lips
        points[[*left, *right]] += 2 * [(-0.1, 0), (0, -0.04), (0.1, 0), (0, 0.04)]
        points[list(mouth)] += (-0.15, 0), (0.15, 0)
        points[[90, 102]] = (0, 0.25), (0, 0.35)
    return points


def turned(points: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Turn K x 2 points clockwise on the screen."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]), np.float64)


def write_models(folder: Path, tilt_106: float = 0.0, n_points: int = 203) -> Path:
    """Write the four files as a weight store has them; the 106 points stand turned by `tilt_106` degrees."""
    for name, model in (
        (DETECTOR, _detector()),
        (POINTS_106, _landmarks_106(tilt_106)),
        (POINTS_203, _landmarks_203(n_points)),
        (ARCFACE, _recognition()),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, folder / name)
    return folder


def model_files(folder: Path) -> ModelFiles:
    """Where `write_models` has put them."""
    return ModelFiles(*(folder / name for name in FILES))


class _Graph:
    """Nodes and constants of a model being built; each method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, dtype: type[np.generic] = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def add(self, op: str, *inputs: str, output: str = "", name: str = "", **attributes: Any) -> str:
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=name or output, **attributes))
        return output

    def model(self, source: onnx.ValueInfoProto, outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "test", [source], outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model

    def plane(self, source: str, channel: int, stride: int = 1) -> str:
        """Return every stride-th pixel of one channel."""
        starts, ends, axes, steps = (
            self.constant(value, np.int64)
            for value in ([channel, 0, 0], [channel + 1, 1 << 30, 1 << 30], [1, 2, 3], [1, stride, stride])
        )
        return self.add("Slice", source, starts, ends, axes, steps)


def _detector() -> onnx.ModelProto:
    graph = _Graph()
    # insightface hands over (value - 127.5) / 128.
    levels = graph.add("Add", graph.add("Mul", "input.1", graph.constant(128)), graph.constant(127.5))
    outputs = []
    for kind, width in (("score", 1), ("bbox", 4), ("kps", 10)):
        for stride in STRIDES:
            red, green = (graph.plane(levels, channel, stride) for channel in (0, 1))
            scale = graph.constant({"score": 1 / 255, "bbox": 1 / stride, "kps": 0.0}[kind])
            value = graph.add("Mul", red if kind == "score" else green, scale)
            column = graph.add("Reshape", value, graph.constant([-1, 1], np.int64))
            anchors = graph.add("Tile", column, graph.constant([1, 2 * width], np.int64))
            graph.add("Reshape", anchors, graph.constant([-1, width], np.int64), output=f"{kind}_{stride}")
            # The official file declares the sizes of 640 x 640, whatever it is run on.
            rows = 2 * (640 // stride) ** 2
            outputs.append(helper.make_tensor_value_info(f"{kind}_{stride}", TensorProto.FLOAT, [rows, width]))
    source = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, "height", "width"])
    return graph.model(source, outputs)


def _located(graph: _Graph, unit: str, size: int, points: NDArray[np.float64]) -> str:
    """Return the pattern on the blue square of a picture in [0, 1], crop pixels, 1 x 2K; not finite without one."""
    blue = graph.plane(unit, 2)
    area = graph.add("ReduceSum", blue, keepdims=0)
    rows, columns = np.mgrid[:size, :size]
    centre = [
        graph.add("Div", graph.add("ReduceSum", graph.add("Mul", blue, graph.constant(grid)), keepdims=0), area)
        for grid in (columns, rows)
    ]
    pairs = [graph.add("Unsqueeze", value, graph.constant([0], np.int64)) for value in centre]
    offsets = graph.add("Mul", graph.add("Sqrt", area), graph.constant(points))
    placed = graph.add("Add", offsets, graph.add("Concat", *pairs, axis=0))
    return graph.add("Reshape", placed, graph.constant([1, -1], np.int64))


def _landmarks_106(tilt: float) -> onnx.ModelProto:
    graph = _Graph()
    # Nodes of these names in front tell insightface that the model itself scales values of 0 to 255.
    shifted = graph.add("Sub", "data", graph.constant(0), name="_minusscalar0")
    unit = graph.add("Mul", shifted, graph.constant(1 / 255), name="_mulscalar0")
    located = _located(graph, unit, 192, turned(pattern(106), tilt))
    graph.add("Sub", graph.add("Mul", located, graph.constant(1 / 96)), graph.constant(1), output="fc1")
    source = helper.make_tensor_value_info("data", TensorProto.FLOAT, ["None", 3, 192, 192])
    return graph.model(source, [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 212])])


def _landmarks_203(n_points: int) -> onnx.ModelProto:
    graph = _Graph()
    located = _located(graph, "input", 224, pattern(203)[:n_points])
    names = {"output": 214, "853": 262, "856": 2 * n_points}
    graph.add("Mul", located, graph.constant(1 / 224), output="856")
    for name in ("output", "853"):
        graph.add("ConstantOfShape", graph.constant([1, names[name]], np.int64), output=name)
    source = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 224, 224])
    return graph.model(
        source, [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n]) for name, n in names.items()]
    )


def _recognition() -> onnx.ModelProto:
    """Like w600k_r50: 512 numbers of an aligned face, here random sums of its means over 8 x 8 squares."""
    graph = _Graph()
    means = graph.add("AveragePool", "input.1", kernel_shape=[14, 14], strides=[14, 14])
    rows = graph.add("Reshape", means, graph.constant([-1, 192], np.int64))
    weights = np.random.default_rng(512).normal(size=(192, 512))
    graph.add("MatMul", rows, graph.constant(weights), output="683")
    source = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])
    return graph.model(source, [helper.make_tensor_value_info("683", TensorProto.FLOAT, ["None", 512])])


def stock_store(place: str, folder: Path, names: Sequence[str] = FILES) -> WeightStore:
    """Bring the models of `write_models` into a weight store, as an import with allow_other=true does."""

    def files() -> Iterator[tuple[str, bytes, LockEntry]]:
        for artefact in (a for a in ARTEFACTS if a.name in names):
            data = (folder / artefact.name).read_bytes()
            sha256, size = hashlib.sha256(data).hexdigest(), len(data)
            licence = LICENCES[artefact.licence]
            yield artefact.name, data, LockEntry(sha256, size, artefact.source, sha256, size, "other", licence)

    WeightStore(place).write(files())
    return WeightStore(place)
