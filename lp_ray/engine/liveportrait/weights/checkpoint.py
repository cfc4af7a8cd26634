"""Read published `.pth` files without running anything in them, and check their content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lp_ray.base.errors import WeightsError
from lp_ray.engine.liveportrait.config import FULL, NetworkSize
from lp_ray.engine.liveportrait.networks import Model, Shapes, StateDict, expected_shapes
from lp_ray.models.pth import load_pth

MAX_BYTES = 2 << 30

STITCHING_ENTRIES: dict[str, Model] = {
    "retarget_shoulder": "S_shoulder",
    "retarget_mouth": "S_mouth",
    "retarget_eye": "S_eye",
}
"""The three state dicts of the stitching file."""

WRAPPER = "module."
"""A prefix in that file's keys, left by training on several GPUs."""

REMEDY = "get the published file again: lp-ray weights pull store=…"


def read_states(path: Path, model: str, where: str) -> dict[Model, StateDict]:
    """Read an official file: the state dict of F, M, W or G, or the three of S, checked at full size.

    `where` names the file in messages. Raises WeightsError for a file that cannot be read safely or has other keys or
    shapes than the published ones.
    """
    content = read_pth(path, where)
    states = {model: content} if model in ("F", "M", "W", "G") else _three(content, where)
    return check_states(states, FULL, where)


def read_pth(path: Path, where: str) -> Mapping[str, Any]:
    """Read a `.pth` file (a torch zip) with a dict of tensors and plain values. Raises WeightsError."""
    if path.stat().st_size > MAX_BYTES:
        raise WeightsError(f"{where}: over {MAX_BYTES} bytes, not one of the published weights; {REMEDY}")
    try:
        content = load_pth(path)
    except ValueError as error:
        raise WeightsError(f"{where}: not a checkpoint that can be read safely ({error}); {REMEDY}") from error
    if not isinstance(content, Mapping) or not all(isinstance(key, str) for key in content):
        raise WeightsError(f"{where}: holds a {type(content).__name__} where a state dict belongs; {REMEDY}")
    return content


def _three(content: Mapping[str, Any], where: str) -> dict[Model, StateDict]:
    if content.keys() != STITCHING_ENTRIES.keys():
        raise WeightsError(
            f"{where}: has the entries {', '.join(sorted(content))[:200]} where {', '.join(STITCHING_ENTRIES)} "
            f"belong; {REMEDY}"
        )
    states: dict[Model, StateDict] = {}
    for entry, model in STITCHING_ENTRIES.items():
        if not isinstance(content[entry], Mapping):
            raise WeightsError(f"{where}: {entry} is no state dict; {REMEDY}")
        states[model] = {str(key).replace(WRAPPER, ""): value for key, value in content[entry].items()}
    return states


def join_states(states: Mapping[Model, StateDict]) -> dict[str, Tensor]:
    """Return the tensors of one stored file: keys as they are for one model, "model.key" for several."""
    if len(states) == 1:
        return dict(next(iter(states.values())))
    return {f"{model}.{key}": tensor for model, state in states.items() for key, tensor in state.items()}


def split_states(tensors: Mapping[str, Tensor], models: Sequence[Model]) -> dict[Model, StateDict]:
    """Undo `join_states`. A key that fits no model stays in the first model's dict, where the check reports it."""
    if len(models) == 1:
        return {models[0]: tensors}
    states: dict[Model, dict[str, Tensor]] = {model: {} for model in models}
    for key, tensor in tensors.items():
        owner = next((model for model in models if key.startswith(f"{model}.")), models[0])
        states[owner][key.removeprefix(f"{owner}.")] = tensor
    return dict(states)


def check_states(states: Mapping[Any, Mapping[str, Any]], size: NetworkSize, where: str) -> dict[Model, StateDict]:
    """Return state dicts as float32 on the CPU, after a check of keys, shapes and values.

    Raises WeightsError, which names file, model and the first key that is missing, unknown, mis-shaped or not finite.
    """
    shapes = expected_shapes(size)
    return {model: _checked(state, shapes[model], f"{where}: {model}") for model, state in states.items()}


def _checked(state: Mapping[str, Any], shapes: Shapes, where: str) -> StateDict:
    _refuse(where, "lacks", [key for key in shapes if key not in state])
    _refuse(where, "has unknown", [key for key in state if key not in shapes])
    for key, shape in shapes.items():
        tensor = state[key]
        if not isinstance(tensor, Tensor) or tuple(tensor.shape) != shape:
            found = tuple(tensor.shape) if isinstance(tensor, Tensor) else type(tensor).__name__
            raise WeightsError(f"{where}: key {key!r} is {found} where {shape} belongs; {REMEDY}")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{where}: key {key!r} holds non-finite values; {REMEDY}")
        if tensor.is_floating_point() == key.endswith("num_batches_tracked"):
            raise WeightsError(f"{where}: key {key!r} is {tensor.dtype}; {REMEDY}")
    return {key: _plain(state[key]) for key in shapes}


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float32 if tensor.is_floating_point() else torch.int64).contiguous()


def _refuse(where: str, verb: str, keys: list[str]) -> None:
    if keys:
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        raise WeightsError(f"{where}: {verb} key {keys[0]!r}{more}; {REMEDY}")
