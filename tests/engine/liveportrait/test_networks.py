"""The graph at its tiny size: folding, what is computed once per source, and what stays float32."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from lp_ray.base.errors import RefusedError
from lp_ray.engine.liveportrait.config import FULL, TINY, network_size
from lp_ray.engine.liveportrait.networks import MODELS, Networks, expected_shapes, load_networks
from lp_ray.engine.liveportrait.placement import place
from lp_ray.engine.liveportrait.warping import identity_grid, sample
from lp_ray.engine.liveportrait.weights.seeded import seeded_weights
from lp_ray.engine.liveportrait.weights.weight_set import WeightSet

MINIATURE = replace(
    TINY,
    name="miniature",
    hourglass_widths=(2, 2, 2, 2, 2),
    hourglass_last_width=2,
    head_kernel=1,
    cpu_batch=1,
)
"""Smaller still: reduced precision has no fast path on most CPUs."""


@pytest.fixture(autouse=True)
def no_gradients() -> object:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def networks(weights: WeightSet) -> Networks:
    return load_networks(TINY, weights.states)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def chain(networks: Networks, image: Tensor, x_s: Tensor, x_d: Tensor) -> Tensor:
    warped = networks.warping(networks.appearance(image), x_d, x_s)
    return networks.generator(warped.feature).float()


def test_tiny_has_the_same_graph_as_full() -> None:
    """Key for key, up to how many blocks of a kind follow each other; S is the same size in both."""

    def kinds(shapes: Iterable[str]) -> set[str]:
        return {re.sub(r"(3dr|G_middle_|\.)\d+(?=\.)", r"\1#", key) for key in shapes}

    tiny, full = expected_shapes(TINY), expected_shapes(FULL)
    for model in MODELS:
        assert kinds(tiny[model]) == kinds(full[model]), model
    assert all(tiny[model] == full[model] for model in ("S_shoulder", "S_mouth", "S_eye"))


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"engine\.size='huge' must be one of full, tiny"):
        network_size("huge")


def test_folding_leaves_no_norm_behind_a_convolution_and_the_same_picture(
    weights: WeightSet, networks: Networks
) -> None:
    published = load_networks(TINY, weights.states, fold=False)
    image, x_s = noise(1, 3, 256, 256).sigmoid(), 0.3 * noise(1, 21, 3)
    x_d = x_s + 0.05
    torch.testing.assert_close(
        chain(networks, image, x_s, x_d), chain(published, image, x_s, x_d), atol=1e-4, rtol=1e-4
    )
    left = [name for name, m in networks.warping.named_modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d)]
    assert left == []
    first_norms = [n for n, m in networks.appearance.named_modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm3d)]
    assert first_norms == ["resblocks_3d.3dr0.norm1"], "only what stands before its convolution stays"
    assert not [key for key in networks.generator.state_dict() if "weight_orig" in key or "mlp_gamma" in key]


def test_folding_leaves_the_given_weights_alone(weights: WeightSet) -> None:
    before = {model: {key: tensor.clone() for key, tensor in state.items()} for model, state in weights.states.items()}
    place(load_networks(TINY, weights.states), torch.device("cpu"), torch.float16)
    for model, state in before.items():
        assert state.keys() == weights.states[model].keys()
        assert all(torch.equal(weights.states[model][key], tensor) for key, tensor in state.items())


def test_a_batch_of_frames_shares_one_source(networks: Networks) -> None:
    """The compressed volume is computed once and shared; every frame has the same result as alone."""
    volume = networks.appearance(noise(1, 3, 256, 256).sigmoid())
    x_s = 0.3 * noise(1, 21, 3)
    x_d = x_s + 0.05 * noise(3, 21, 3)
    compressed = networks.warping.compress(volume)
    together = networks.warping(
        volume.expand(3, -1, -1, -1, -1),
        x_d,
        x_s.expand(3, -1, -1),
        compressed.expand(3, -1, -1, -1, -1),
    )
    for i in range(3):
        alone = networks.warping(volume, x_d[i : i + 1], x_s)
        torch.testing.assert_close(together.feature[i : i + 1], alone.feature, atol=1e-5, rtol=1e-5)


def test_grids_run_over_x_y_z_and_sampling_reads_the_voxel_they_name() -> None:
    grid = identity_grid(2, 3, 5, torch.device("cpu"))
    assert grid.shape == (2, 3, 5, 3)
    assert grid[0, 0, 0].tolist() == [-1, -1, -1] and grid[1, 2, 4].tolist() == [1, 1, 1]
    assert grid[0, 0, 4].tolist() == [1, -1, -1] and grid[1, 0, 0].tolist() == [-1, -1, 1]
    volume = torch.arange(30.0).view(1, 1, 2, 3, 5)
    centre = torch.tensor([0.0, 0.0, 0.5]).view(1, 1, 1, 1, 3)  # the middle voxel of the second slice
    assert sample(volume, centre).item() == volume[0, 0, 1, 1, 2].item()
    assert sample(volume, torch.full((1, 1, 1, 1, 3), 3.0)).item() == 0, "nothing outside"


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_reduced_precision_keeps_keypoints_angles_and_grids_in_float32(dtype: torch.dtype, tolerance: float) -> None:
    states = seeded_weights(MINIATURE, "human0")
    exact, reduced = load_networks(MINIATURE, states), load_networks(MINIATURE, states)
    place(reduced, torch.device("cpu"), dtype)
    image, x_s = noise(1, 3, 256, 256).sigmoid(), 0.3 * noise(1, 21, 3)
    x_d = x_s + 0.05

    heads = reduced.motion(image.to(dtype))
    assert {head.dtype for head in heads} == {torch.float32}
    for head, wanted in zip(heads, exact.motion(image), strict=True):
        torch.testing.assert_close(head, wanted, atol=3 * tolerance, rtol=tolerance)

    volume = reduced.appearance(image.to(dtype))
    warped = reduced.warping(volume, x_d, x_s)
    assert volume.dtype == warped.feature.dtype == dtype
    assert warped.motion.deformation.dtype == warped.motion.occlusion.dtype == torch.float32
    wanted = exact.warping(exact.appearance(image), x_d, x_s)
    assert float((warped.motion.deformation - wanted.motion.deformation).abs().mean()) < tolerance
    picture = reduced.generator(warped.feature)
    assert picture.dtype == torch.float32 and picture.shape == (1, 3, 512, 512)
    assert float((picture - exact.generator(wanted.feature)).abs().mean()) < tolerance
