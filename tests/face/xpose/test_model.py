"""The reductions are exact: the tiny network against the unreduced statement of it, on the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lp_ray.base.errors import UnsupportedError
from lp_ray.face.xpose.decoder import Candidates
from lp_ray.face.xpose.model import XPose
from lp_ray.face.xpose.seeded import seeded_prompts

ROOT = Path(__file__).resolve().parents[3]


def _inputs(batch: int, height: int, width: int, n: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    coarse = torch.randn(batch, 3, -(-height // 8), -(-width // 8), generator=generator)
    image = coarse.repeat_interleave(8, 2).repeat_interleave(8, 3)[:, :, :height, :width]
    prompts = seeded_prompts(n, f"s{n}")
    return image, torch.from_numpy(prompts.instance), torch.from_numpy(prompts.keypoints)


def _assert_same(got: Candidates, expected: Candidates) -> None:
    torch.testing.assert_close(got.logit, expected.logit, atol=2e-4, rtol=1e-5)
    torch.testing.assert_close(got.box, expected.box, atol=1e-5, rtol=0)
    torch.testing.assert_close(got.points, expected.points, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("height", "width", "n"), [(110, 141, 9), (96, 96, 68)])
def test_equals_the_unreduced_formulation(
    tiny: XPose, monkeypatch: pytest.MonkeyPatch, height: int, width: int, n: int
) -> None:
    """Padded text tokens, keypoints that nobody asked for and masks may all go without a trace."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.xpose_unreduced import UnreducedXPose

    inputs = _inputs(1, height, width, n)
    with torch.inference_mode():
        got, expected = tiny(*inputs), UnreducedXPose(tiny)(*inputs)
    assert got.points.shape == (1, tiny.config.candidates, n, 2)
    _assert_same(got, expected)


def test_a_batch_equals_its_pictures_one_by_one(tiny: XPose) -> None:
    images, instance, keypoints = _inputs(2, 72, 80, 9)
    with torch.inference_mode():
        together = tiny(images, instance, keypoints)
        alone = [tiny(image[None], instance, keypoints) for image in images]
    for i, one in enumerate(alone):
        both = Candidates(together.logit[i : i + 1], together.box[i : i + 1], together.points[i : i + 1])
        _assert_same(both, one)
    assert not torch.allclose(alone[0].points, alone[1].points, atol=1e-2)


def test_a_picture_of_too_few_cells_is_refused(tiny: XPose) -> None:
    image, instance, keypoints = _inputs(1, 40, 40, 9)
    with torch.inference_mode(), pytest.raises(UnsupportedError, match=r"40 x 40 pixels has 39 cells"):
        tiny(image, instance, keypoints)
