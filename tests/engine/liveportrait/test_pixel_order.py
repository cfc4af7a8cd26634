"""The generator's last step: which of its twelve channels is which sub-pixel of which colour."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lp_ray.engine.liveportrait.config import TINY, VOLUME_SIDE
from lp_ray.engine.liveportrait.fast.generator import FastGenerator
from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.weights.weight_set import WeightSet


@pytest.fixture(scope="module")
def feature() -> Tensor:
    size = (1, TINY.feature_channels, VOLUME_SIDE, VOLUME_SIDE)
    return torch.randn(*size, generator=torch.Generator().manual_seed(3)) * 0.3


def assert_in_order(channels: Tensor, picture: Tensor) -> None:
    """Channel 4 c + 2 i + j of B x 12 x H x W is colour c of the sub-pixel in row i, column j of B x 3 x 2H x 2W."""
    assert channels.flatten(2).std(-1).min() > 1e-3, "all channels differ, or their order could not be seen"
    for colour in range(3):
        for row in range(2):
            for column in range(2):
                expected = channels[:, 4 * colour + 2 * row + column].float().sigmoid()
                torch.testing.assert_close(picture[:, colour, row::2, column::2], expected)


def test_plain(weights: WeightSet, feature: Tensor) -> None:
    generator = load_networks(TINY, weights.states).generator
    seen: list[Tensor] = []
    generator.conv_img[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.inference_mode():
        picture = generator(feature)
    assert_in_order(seen[0], picture)


def test_fast(weights: WeightSet, feature: Tensor) -> None:
    plain = load_networks(TINY, weights.states).generator
    with torch.no_grad():
        fast = FastGenerator(plain, VOLUME_SIDE)
        seen: list[Tensor] = []
        fast.picture.register_forward_hook(lambda module, inputs, output: seen.append(output))
        picture = fast(feature.permute(0, 2, 3, 1).contiguous())
    assert_in_order(seen[0][:, 0].permute(0, 3, 1, 2), picture.permute(0, 3, 1, 2))
