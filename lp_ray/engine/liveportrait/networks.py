"""Build the seven networks of one engine: create, fill, fold and place them.

Models have the names of the paper and the goldens: F, M, W, G, and the three of the S file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lp_ray.engine.liveportrait.appearance import AppearanceExtractor
from lp_ray.engine.liveportrait.config import NetworkSize
from lp_ray.engine.liveportrait.generator import Generator
from lp_ray.engine.liveportrait.layers import fold_all
from lp_ray.engine.liveportrait.motion import MotionExtractor
from lp_ray.engine.liveportrait.stitching import EYE_WIDTHS, LIP_WIDTHS, STITCHING_WIDTHS, KeypointMlp
from lp_ray.engine.liveportrait.warping import WarpingNetwork

Model = Literal["F", "M", "W", "G", "S_shoulder", "S_mouth", "S_eye"]
MODELS: tuple[Model, ...] = get_args(Model)

StateDict = Mapping[str, Tensor]
Weights = Mapping[Model, StateDict]
"""State dicts of all models, with the keys and shapes of the published checkpoints."""

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Networks:
    """All networks of one engine, in evaluation mode."""

    size: NetworkSize
    appearance: AppearanceExtractor
    motion: MotionExtractor
    warping: WarpingNetwork
    generator: Generator
    stitching: KeypointMlp
    lip: KeypointMlp
    eye: KeypointMlp

    def by_model(self) -> dict[Model, nn.Module]:
        """Return the networks by the names of their models."""
        return {
            "F": self.appearance,
            "M": self.motion,
            "W": self.warping,
            "G": self.generator,
            "S_shoulder": self.stitching,
            "S_mouth": self.lip,
            "S_eye": self.eye,
        }


@cache
def expected_shapes(size: NetworkSize) -> dict[Model, Shapes]:
    """Return every key and shape of every model's state dict, in state-dict order."""
    return {
        model: {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
        for model, network in bare_networks(size).by_model().items()
    }


def load_networks(size: NetworkSize, weights: Weights, fold: bool = True) -> Networks:
    """Build networks from checked weights (see `weights.checkpoint.check_states`), on the CPU in float32.

    `fold` folds batch and spectral norms into the convolutions.
    """
    networks = bare_networks(size)
    for model, network in networks.by_model().items():
        network.load_state_dict(weights[model], strict=True, assign=True)
        network.eval()
        if fold:
            fold_all(network)
        network.requires_grad_(False)
    return networks


def bare_networks(size: NetworkSize) -> Networks:
    """Return networks without storage. Their parameters are assigned later, never initialised."""
    with torch.device("meta"):
        return Networks(
            size=size,
            appearance=AppearanceExtractor(size),
            motion=MotionExtractor(size),
            warping=WarpingNetwork(size),
            generator=Generator(size),
            stitching=KeypointMlp(STITCHING_WIDTHS),
            lip=KeypointMlp(LIP_WIDTHS),
            eye=KeypointMlp(EYE_WIDTHS),
        )
