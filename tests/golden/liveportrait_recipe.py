"""Inputs, weights and comparisons of the LivePortrait goldens (their README, "Recipe")."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format

from lp_ray.engine.liveportrait.config import FULL
from lp_ray.engine.liveportrait.layers import fold_all
from lp_ray.engine.liveportrait.networks import Model, StateDict, bare_networks, expected_shapes
from lp_ray.engine.liveportrait.weights.seeded import seeded_state
from tests.goldens import Goldens

Arrays = Mapping[str, NDArray[np.generic]]

STATS_RTOL = 1e-4


def image(seed: int, h: int = 256, w: int = 256) -> NDArray[np.uint8]:
    """Return the recipe's picture of that seed, h x w x 3 RGB."""
    g = _rng("image", seed)

    def up(low: int, high: int, cell: int) -> NDArray[np.int64]:
        small = g.integers(low, high, (-(-h // cell), -(-w // cell), 3))
        return small.repeat(cell, 0).repeat(cell, 1)[:h, :w]

    return np.clip(up(0, 256, 128) + up(-64, 65, 16) + up(-12, 13, 1), 0, 255).astype(np.uint8)


def images(seeds: NDArray[np.generic]) -> Tensor:
    """Return the pictures of B seeds as the networks take them, B x 3 x 256 x 256 in [0, 1]."""
    stack = np.stack([image(int(seed)) for seed in np.ravel(seeds)])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255


def random(*parts: object, shape: tuple[int, ...], s: float) -> Tensor:
    """Return the recipe's T(...)."""
    return torch.from_numpy((_rng(*parts).standard_normal(shape) * s).astype(np.float32))


def _rng(*parts: object) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(":".join(map(str, parts)).encode())))


@cache
def input_base(goldens: Goldens) -> int:
    """Return `base` of the recipe: which one made the folder's stored keypoints (0 in the carried folder)."""
    if not goldens.find("module_W.npz") and (stated := stated_base(goldens)) is not None:
        return stated
    with np.load(goldens / "module_W.npz") as file:
        stored = torch.from_numpy(file["b1/kp_source"])
    for base in range(100_000):
        if torch.equal(random("w-kps", base, "b1", shape=(1, 21, 3), s=0.3), stored):
            return base
    raise AssertionError(f"{goldens}: no base below 100000 makes the stored keypoints of module_W b1")


def stated_base(goldens: Goldens) -> int | None:
    """Return the `base` that the folder's README states, or None if it states none."""
    readme = goldens.find("README.md")
    found = re.search(r"`base` below is (\d+)", readme.read_text()) if readme else None
    return int(found[1]) if found else None


@cache
def salts(goldens: Goldens) -> tuple[str, ...]:
    """Return the salts that the folder's weights were made with, people's first."""
    return tuple(json.loads((goldens / "weights_checksums.json").read_text()))


def salt_of(goldens: Goldens, kind: Literal["human", "animal"]) -> str:
    """Return the salt of people's or animals' weights: by its name, else by its place. Skips where there is none."""
    found = [salt for salt in salts(goldens) if kind in salt] or salts(goldens)[("human", "animal").index(kind) :]
    if not found:
        pytest.skip(f"weights_checksums.json of {goldens} has no salt of the {kind} weights")
    return found[0]


@cache
def state(goldens: Goldens, model: Model) -> StateDict:
    """Return the seeded state dict of one of people's networks."""
    return seeded_state(salt_of(goldens, "human"), model, expected_shapes(FULL)[model])


@cache
def network(goldens: Goldens, model: Model, fold: bool) -> nn.Module:
    """Return one network with the folder's weights, as published or folded and channels last, as it runs."""
    made = bare_networks(FULL).by_model()[model]
    made.load_state_dict(state(goldens, model), assign=True)
    made.eval()
    if fold:
        fold_all(made)
        convert_conv2d_weight_memory_format(made, torch.channels_last)
    return made.requires_grad_(False)


@contextmanager
def recorded(network: nn.Module, modules: Mapping[str, str]) -> Iterator[dict[str, Tensor]]:
    """Collect outputs of submodules (label -> module name) during a forward pass."""
    outputs: dict[str, Tensor] = {}

    def keep(label: str) -> object:
        return lambda module, inputs, output: outputs.__setitem__(label, output)

    handles = [network.get_submodule(name).register_forward_hook(keep(label)) for label, name in modules.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


class Comparison:
    """Compares tensors with the arrays of one case, and knows which arrays were never asked for."""

    def __init__(self, file: Path, case: str, atol: float, rtol: float) -> None:
        with np.load(file) as arrays:
            self.arrays = {key.removeprefix(f"{case}/"): arrays[key] for key in arrays if key.startswith(f"{case}/")}
        self.case, self.atol, self.rtol = f"{file.name} {case}", atol, rtol
        self.unseen = set(self.arrays)

    def __getitem__(self, name: str) -> NDArray[np.generic]:
        self.unseen.discard(name)
        return self.arrays[name]

    def whole(self, name: str, ours: Tensor | NDArray[np.generic], atol: float | None = None) -> None:
        """Compare with an array stored in full."""
        theirs = self[name]
        assert tuple(ours.shape) == theirs.shape, f"{self.case}/{name}: {tuple(ours.shape)} for {theirs.shape}"
        np.testing.assert_allclose(
            np.asarray(ours), theirs, self.rtol, atol or self.atol, err_msg=f"{self.case}/{name}"
        )

    def sampled(self, name: str, ours: Tensor, strides: tuple[int, ...]) -> None:
        """Compare with an array stored as a sample and as mean, standard deviation and sum of magnitudes."""
        self.whole(f"{name}/sample", ours[(slice(None), *(slice(None, None, stride) for stride in strides))])
        items = ours.double().flatten(1)
        stats = torch.stack([items.mean(1), items.std(1, correction=0), items.abs().sum(1)], 1)
        theirs = self[f"{name}/stats"]
        np.testing.assert_allclose(stats[:, :2], theirs[:, :2], self.rtol, self.atol, err_msg=f"{self.case}/{name}")
        np.testing.assert_allclose(stats[:, 2], theirs[:, 2], STATS_RTOL, err_msg=f"{self.case}/{name}")

    def finish(self) -> None:
        """Assert that every array of the case was compared or used."""
        assert not self.unseen, f"{self.case}: never compared: {sorted(self.unseen)}"


def compare_patches(goldens: Goldens, picture: Tensor, tolerance: float) -> None:
    """Compare whole pixels of case b1, 1 x 3 x 512 x 512: unlike samples they see the order of sub-pixels.

    Skips where a folder of other seeds has no such file.
    """
    golden = Comparison(goldens / "module_G_patch.npz", "b1", tolerance, tolerance)
    golden.whole("out/patch", picture[0, :, 96:160, 192:256])
    golden.whole("out/row", picture[0, :, 255])
    golden.whole("out/column", picture[0, :, :, 256])
    golden.finish()
