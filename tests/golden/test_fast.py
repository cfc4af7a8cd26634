"""The networks as they run (`fast/`) against the reference, on seeded weights: every tensor that they still have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import pytest
import torch
from liveportrait_recipe import Comparison, compare_patches, input_base, network, random, recorded

from lp_ray.engine.liveportrait.config import FULL, VOLUME_SIDE
from lp_ray.engine.liveportrait.fast.fused import fuse
from lp_ray.engine.liveportrait.fast.generator import FastGenerator
from lp_ray.engine.liveportrait.fast.warping import FastWarping
from lp_ray.engine.liveportrait.generator import Generator
from lp_ray.engine.liveportrait.warping import WarpingNetwork
from tests.goldens import Goldens

Net = TypeVar("Net", bound=torch.nn.Module)

TOLERANCE = 1e-4

WIDTHS = {"hourglass": 142, "mask_logits": 22}
"""Channels that are not filled up."""


@pytest.fixture
def ready(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Net], Net]:
    """Returns a network as it is, or fused, as engine.execution=compiled runs it on a CPU."""
    if not request.param:
        return lambda network: network
    monkeypatch.setenv("LP_RAY_CACHE", str(tmp_path))

    def fused(network: Net) -> Net:
        fuse(network)
        return network

    return fused


in_all_modes = pytest.mark.parametrize(
    ("case", "ready"),
    [("b1", False), ("b3", False), pytest.param("b1", True, marks=pytest.mark.timeout(1200))],
    ids=["b1", "b3", "b1-compiled"],
    indirect=["ready"],
)


@in_all_modes
def test_warping(goldens: Goldens, case: str, ready: Callable[[FastWarping], FastWarping]) -> None:
    golden = Comparison(goldens / "module_W.npz", case, TOLERANCE, TOLERANCE)
    base, n = input_base(goldens), int(case[1:])
    volume = random("w-feat", base, case, shape=(n, 32, 16, 64, 64), s=0.8)
    x_s = random("w-kps", base, case, shape=(n, 21, 3), s=0.3)
    x_d = x_s + random("w-kpd", base, case, shape=(n, 21, 3), s=0.08)
    golden.unseen -= {"kp_source", "kp_driving"}
    plain = cast(WarpingNetwork, network(goldens, "W", True))
    dense = "dense_motion_network"
    with torch.inference_mode():
        fast = ready(FastWarping(plain, VOLUME_SIDE, FULL.volume_depth))
        with recorded(
            fast, {"hourglass": f"{dense}.hourglass", "mask_logits": f"{dense}.mask", "third": "third"}
        ) as mid:
            warped = fast(volume, plain.compress(volume), x_d, x_s)
    for name, width in WIDTHS.items():
        golden.sampled(f"mid/{name}", mid[name][..., :width].permute(0, 4, 1, 2, 3), (8 if width > 22 else 2, 4, 8, 8))
    third = torch.nn.functional.leaky_relu(mid["third"][:, 0].permute(0, 3, 1, 2), 0.01)
    golden.sampled("mid/third", third, (8, 8, 8))
    golden.whole("occlusion_map", warped.motion.occlusion)
    golden.sampled("deformation", warped.motion.deformation, (3, 4, 4, 1))
    golden.sampled("out", warped.feature.permute(0, 3, 1, 2), (8, 4, 4))
    golden.unseen -= {"mid/compress_norm/sample", "mid/compress_norm/stats"}  # W's own, compared in test_modules
    golden.finish()


@in_all_modes
def test_generator(goldens: Goldens, case: str, ready: Callable[[FastGenerator], FastGenerator]) -> None:
    golden = Comparison(goldens / "module_G.npz", case, TOLERANCE, TOLERANCE)
    feature = random("g-feat", input_base(goldens), case, shape=(int(case[1:]), 256, 64, 64), s=0.3)
    plain = cast(Generator, network(goldens, "G", True))  # kept for other tests: not made in inference mode
    with torch.inference_mode():
        fast = ready(FastGenerator(plain, VOLUME_SIDE))
        names = {"fc": "fc", "G_middle_0": "middle.0", "G_middle_5": "middle.5", "up_0": "up_0", "up_1": "up_1"}
        with recorded(fast, names) as mid:
            picture = fast(feature.permute(0, 2, 3, 1).contiguous())
    for name in names:
        step = mid[name].shape[2] // 8
        golden.sampled(f"mid/{name}", mid[name][:, 0].permute(0, 3, 1, 2), (16, step, step))
    golden.sampled("out", picture.permute(0, 3, 1, 2), (1, 8, 8))
    golden.finish()


def test_whole_pixels_of_the_generator(goldens: Goldens) -> None:
    """The samples above see one sub-pixel in four of the last step."""
    feature = random("g-feat", input_base(goldens), "b1", shape=(1, 256, 64, 64), s=0.3)
    plain = cast(Generator, network(goldens, "G", True))
    with torch.inference_mode():
        picture = FastGenerator(plain, VOLUME_SIDE)(feature.permute(0, 2, 3, 1).contiguous())
    compare_patches(goldens, picture.permute(0, 3, 1, 2), TOLERANCE)
