"""Which part of the driving's motion each region takes, as tables instead of branches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lp_ray.contract.options import Region
from lp_ray.motion.keypoints import N_KEYPOINTS

Mask = NDArray[np.bool_]


def _mask(whole: Iterable[int], parts: Mapping[int, str] = MappingProxyType({})) -> Mask:
    mask = np.zeros((N_KEYPOINTS, 3), np.bool_)
    mask[list(whole)] = True
    for keypoint, axes in parts.items():
        mask[keypoint, ["xyz".index(axis) for axis in axes]] = True
    mask.setflags(write=False)
    return mask


# Keypoints and axes: the reference's behaviour as measured in the goldens (spec, "Per-pair semantics").
EVERY = _mask(range(N_KEYPOINTS))
NONE = _mask(())
LIP = _mask((6, 12, 14, 17, 19, 20))
EYES = _mask((11, 13, 15, 16, 18))
FACE = _mask((1, 2, 6, *range(11, 21)), {3: "y", 4: "y", 5: "z", 8: "z", 9: "yz"})
"""Keypoints that carry expression rather than the shape of the head. An absolute expression, or an expression on a
moving source, may change only these."""


@dataclass(frozen=True)
class RegionRule:
    """What a region takes from the driving.

    `relative` and `absolute` are the keypoint axes (21 x 3) whose expression is driven: `relative` for a picture in
    relative mode, `absolute` in all other cases.
    """

    pose: bool
    scale: bool
    relative: Mask
    absolute: Mask


RULES: dict[Region, RegionRule] = {
    "all": RegionRule(pose=True, scale=True, relative=EVERY, absolute=FACE),
    "exp": RegionRule(pose=False, scale=False, relative=EVERY, absolute=FACE),
    "pose": RegionRule(pose=True, scale=False, relative=NONE, absolute=NONE),
    "lip": RegionRule(pose=False, scale=False, relative=LIP, absolute=LIP),
    "eyes": RegionRule(pose=False, scale=False, relative=EYES, absolute=EYES),
}
