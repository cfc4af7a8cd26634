"""From what a user configures to weights in memory."""

from __future__ import annotations

import hashlib

from lp_ray.engine.liveportrait.config import network_size
from lp_ray.engine.liveportrait.weight_set import Variant, WeightIdentity, WeightSet
from lp_ray.weights.seeded import RECIPE_VERSION, SALTS, seeded_weights

SEEDED = "seeded"


def seeded_identity(size: str, variant: Variant) -> WeightIdentity:
    network_size(size)
    recipe = f"{SEEDED} {RECIPE_VERSION} {SALTS[variant]} {size}"
    return WeightIdentity(f"{SEEDED}:{size}", hashlib.sha256(recipe.encode()).hexdigest(), size, variant)


def load_seeded(size: str, variant: Variant) -> WeightSet:
    return WeightSet(seeded_identity(size, variant), seeded_weights(network_size(size), SALTS[variant]))
