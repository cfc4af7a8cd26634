"""The weights of an engine: tensors, and their identity."""

from __future__ import annotations

from dataclasses import dataclass

from lp_ray.contract.variants import Variant
from lp_ray.engine.liveportrait.config import NetworkSize, network_size
from lp_ray.engine.liveportrait.networks import Weights


@dataclass(frozen=True)
class WeightIdentity:
    """The identity of weights, known without loading them.

    `label` is for people ("official:human", "seeded:tiny"). `digest` changes with any value of any tensor.
    """

    label: str
    digest: str
    size: str
    variant: Variant
    licences: tuple[str, ...] = ()


@dataclass(frozen=True)
class WeightSet:
    """Checked state dicts of all models, on the CPU in float32, with their identity."""

    identity: WeightIdentity
    states: Weights

    @property
    def size(self) -> NetworkSize:
        return network_size(self.identity.size)
