"""A tiny X-Pose with seeded weights: the same graph, milliseconds a picture."""

from __future__ import annotations

import pytest
from torch import Tensor

from lp_ray.face.xpose.config import TINY
from lp_ray.face.xpose.model import XPose
from lp_ray.face.xpose.seeded import seeded_checkpoint
from lp_ray.face.xpose.weights import load_xpose


@pytest.fixture(scope="session")
def checkpoint() -> dict[str, Tensor]:
    """Every key of a tiny checkpoint; treat as read-only."""
    return seeded_checkpoint("test", TINY)


@pytest.fixture(scope="session")
def tiny(checkpoint: dict[str, Tensor]) -> XPose:
    model, _ = load_xpose(checkpoint, "seeded", TINY)
    return model
