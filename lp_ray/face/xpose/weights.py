"""X-Pose's checkpoint: what its keys are, which are the same tensor, and a network built from it.

File format of the official `xpose.pth`: a torch zip whose `model` entry is the state dict. Of its 863 keys, 162
are aliases (a head shared by all layers is listed once per layer, and once more at the top level) and 4 are
never used.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from lp_ray.base.errors import WeightsError
from lp_ray.face.xpose.config import OFFICIAL, XPoseConfig
from lp_ray.face.xpose.model import XPose
from lp_ray.face.xpose.swin import WINDOW, window_offsets
from lp_ray.models.pth import load_pth

MAX_CHECKPOINT_BYTES = 2 << 30

_INDEX = "relative_position_index"
_WRAPPER = "module."

DEAD_SHAPES: dict[str, tuple[int, ...]] = {
    "label_enc.weight": (2001, 256),
    "pos_proj.weight": (768, 256),
    "pos_proj.bias": (768,),
    "padding.weight": (1, 768),
}
"""Tensors of the official file that inference multiplies by zero or never reads."""


@dataclass(frozen=True)
class Accounting:
    """Where each key of a checkpoint went: numbers of keys, and the names nobody knows."""

    own: int
    aliases: int
    dead: int
    unknown: tuple[str, ...]


def alias_keys(config: XPoseConfig = OFFICIAL) -> dict[str, str]:
    """Key of each copy -> key of the tensor it repeats."""
    listed = {
        "bbox_embed": config.decoder_layers,
        "pose_embed": config.keypoint_layers + 1,
        "pose_hw_embed": config.keypoint_layers,
    }
    aliases = {}
    for head, count in listed.items():
        canonical = f"transformer.decoder.{head}.0"
        copies = [f"transformer.decoder.{head}.{i}" for i in range(1, count)]
        copies += [f"{head}.{i}" for i in range(count)]
        for tail in (f"layers.{i}.{leaf}" for i in range(3) for leaf in ("weight", "bias")):
            aliases.update({f"{copy}.{tail}": f"{canonical}.{tail}" for copy in copies})
    return aliases


def own_shapes(config: XPoseConfig = OFFICIAL) -> dict[str, tuple[int, ...]]:
    """Key -> shape of every tensor the network holds."""
    with torch.device("meta"):
        return {key: tuple(tensor.shape) for key, tensor in XPose(config).state_dict().items()}


def checkpoint_shapes(config: XPoseConfig = OFFICIAL) -> dict[str, tuple[int, ...]]:
    """Key -> shape of every tensor of a checkpoint: own, dead and aliases."""
    own = own_shapes(config)
    return own | DEAD_SHAPES | {copy: own[key] for copy, key in alias_keys(config).items()}


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Read the state dict of an official `.pth` without running anything in it.

    Raises WeightsError when the file is missing, too large, or not such a checkpoint.
    """
    remedy = "pull or import it again"
    if not path.is_file():
        raise WeightsError(f"{path}: no such X-Pose checkpoint: {remedy}")
    if path.stat().st_size > MAX_CHECKPOINT_BYTES:
        raise WeightsError(f"{path}: over {MAX_CHECKPOINT_BYTES} bytes, not an X-Pose checkpoint: {remedy}")
    try:
        # Training scripts of the DETR family save their arguments beside the model: plain data.
        content = load_pth(path, argparse.Namespace)
    except ValueError as error:
        raise WeightsError(f"{path}: not a checkpoint that can be read safely ({error}): {remedy}") from error
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict) or not all(isinstance(value, Tensor) for value in model.values()):
        raise WeightsError(f"{path}: has no state dict under the key 'model': {remedy}")
    return {str(key).removeprefix(_WRAPPER): tensor for key, tensor in model.items()}


def own_tensors(
    tensors: Mapping[str, Tensor], source: str, config: XPoseConfig = OFFICIAL
) -> tuple[dict[str, Tensor], Accounting]:
    """Pick the network's own tensors, float32 and on the CPU, from a checkpoint or from an earlier pick.

    `source` names the file in messages. Aliases may be absent; where present they must equal what they repeat.
    Unknown keys are counted, not loaded. Raises WeightsError naming file and key for one that is missing, of
    another shape, or an alias that differs.
    """
    own = {}
    for key, shape in own_shapes(config).items():
        if key not in tensors:
            raise WeightsError(f"{source}: key {key!r} is missing: not the X-Pose weights, import them again")
        if tuple(tensors[key].shape) != shape:
            raise WeightsError(f"{source}: {key!r} has shape {tuple(tensors[key].shape)}, not {shape}")
        own[key] = tensors[key].to("cpu", torch.int64 if key.endswith(_INDEX) else torch.float32)
    aliases = {copy: key for copy, key in alias_keys(config).items() if copy in tensors}
    for copy, key in aliases.items():
        if not torch.equal(tensors[copy].to("cpu", torch.float32), own[key]):
            raise WeightsError(f"{source}: {copy!r} differs from {key!r}, which it must repeat")
    known = own.keys() | aliases.keys() | DEAD_SHAPES.keys()
    unknown = tuple(sorted(tensors.keys() - known))
    return own, Accounting(len(own), len(aliases), len(DEAD_SHAPES.keys() & tensors.keys()), unknown)


def load_xpose(tensors: Mapping[str, Tensor], source: str, config: XPoseConfig = OFFICIAL) -> tuple[XPose, Accounting]:
    """Build the network from a checkpoint's tensors, ready to run. Raises WeightsError as `own_tensors`."""
    own, accounting = own_tensors(tensors, source, config)
    with torch.device("meta"):
        model = XPose(config)
    model.load_state_dict(own, assign=True)
    _check_indices(model, source)
    return model.eval().requires_grad_(False), accounting


def _check_indices(model: XPose, source: str) -> None:
    """The file's index tensors address a table: only the one right value is let in."""
    expected = window_offsets()
    for name, buffer in model.named_buffers():
        if not torch.equal(buffer, expected):
            raise WeightsError(f"{source}: {name!r} is not the table of a {WINDOW} x {WINDOW} window")
