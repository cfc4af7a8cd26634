"""The small functions by hand, and deformable attention against two plain loops."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lp_ray.face.xpose.deformable import MSDeformAttn
from lp_ray.face.xpose.layers import attend_to_one, bounded_logit, map_position, query_position, wave
from lp_ray.face.xpose.selection import base_boxes, rank, take

CPU = torch.device("cpu")


def test_bounded_logit_floors_each_side_by_itself() -> None:
    got = bounded_logit(torch.tensor([-1.0, 0.0, 5e-4, 0.25, 1.0, 2.0]))
    expected = [math.log(1e-3), math.log(1e-3), math.log(1e-3 / (1 - 5e-4)), math.log(1 / 3)]
    torch.testing.assert_close(got, torch.tensor([*expected, math.log(1e3), math.log(1e3)]))


def test_wave_interleaves_sine_and_cosine() -> None:
    got = wave(torch.tensor(0.7), 4, 20.0)
    slow = 0.7 / 20**0.5
    torch.testing.assert_close(got, torch.tensor([math.sin(0.7), math.cos(0.7), math.sin(slow), math.cos(slow)]))


def test_map_position_puts_y_first_and_counts_cells_from_one() -> None:
    got = map_position(3, 5, 8, CPU)
    assert got.shape == (15, 8)
    y, x = 2 * math.pi * 2 / 3, 2 * math.pi * 4 / 5
    cell = got[1 * 5 + 3]
    torch.testing.assert_close(cell[[0, 4]], torch.tensor([math.sin(y), math.sin(x)]), atol=1e-5, rtol=0)


def test_query_position_goes_y_x_w_h() -> None:
    got = query_position(torch.tensor([[0.1, 0.2, 0.3, 0.4]]), 4)
    angles = 2 * math.pi * torch.tensor([0.2, 0.1, 0.3, 0.4])
    torch.testing.assert_close(got[0, ::2], angles.sin())
    torch.testing.assert_close(got[0, 1::2], angles.cos())


def test_attention_to_one_token_needs_no_query() -> None:
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(16, 4, batch_first=True).eval()
    with torch.no_grad():
        attention.in_proj_bias.normal_()
    token = torch.randn(2, 1, 16)
    expected, _ = attention(torch.randn(2, 5, 16), token, token)
    torch.testing.assert_close(attend_to_one(attention, token).expand(-1, 5, -1), expected)


def _bilinear(cells: Tensor, height: int, width: int, x: float, y: float) -> Tensor:
    """Sample HW x c cells at a fraction of the map, zero outside."""
    px, py = x * width - 0.5, y * height - 0.5
    left, top = math.floor(px), math.floor(py)
    out = torch.zeros(cells.shape[1])
    for j, i in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        if 0 <= j < width and 0 <= i < height:
            out += cells[i * width + j] * (1 - abs(px - j)) * (1 - abs(py - i))
    return out


def _plain(
    layer: MSDeformAttn, query: Tensor, reference: Tensor, memory: Tensor, shapes: list[tuple[int, int]]
) -> Tensor:
    """Deformable attention of one query after another, one sample after another."""
    rows = []
    starts = [0, *torch.tensor([h * w for h, w in shapes]).cumsum(0).tolist()]
    value = layer.value_proj(memory).unflatten(-1, (layer.heads, -1))
    for q, at in zip(query, reference, strict=True):
        offsets = layer.sampling_offsets(q).view(layer.heads, layer.levels, layer.points, 2)
        weights = layer.attention_weights(q).view(layer.heads, -1).softmax(-1).view(offsets.shape[:-1])
        read = torch.zeros(layer.heads, value.shape[-1])
        for m, v, p in torch.cartesian_prod(*map(torch.arange, weights.shape)).tolist():
            height, width = shapes[v]
            if len(at) == 2:
                place = at + offsets[m, v, p] / torch.tensor([width, height])
            else:
                place = at[:2] + offsets[m, v, p] / 4 * at[2:] * 0.5
            cells = value[starts[v] : starts[v + 1], m]
            read[m] += weights[m, v, p] * _bilinear(cells, height, width, *place.tolist())
        rows.append(layer.output_proj(read.flatten()))
    return torch.stack(rows)


def test_deformable_attention_equals_plain_loops() -> None:
    torch.manual_seed(1)
    shapes = [(5, 7), (3, 4), (2, 2), (1, 1)]
    layer = MSDeformAttn(16).requires_grad_(False)
    memory = torch.randn(1, sum(h * w for h, w in shapes), 16)
    query = 3 * torch.randn(1, 6, 16)
    for numbers in (2, 4):
        reference = torch.rand(1, 6, numbers)
        expected = _plain(layer, query[0], reference[0], memory[0], shapes)
        torch.testing.assert_close(layer(query, reference, memory, shapes)[0], expected, atol=1e-5, rtol=1e-5)


def test_cells_on_the_bound_and_beyond_it_propose_infinity() -> None:
    """50 rows: the border centre 0.5 / 50 is the bound itself, and the comparison is strict."""
    logits, valid = base_boxes([(50, 40), (2, 2), (1, 1), (1, 1)], CPU)
    grid = valid[:2000].view(50, 40)
    assert not grid[0].any() and not grid[-1].any() and grid[1:-1].all()
    assert torch.isposinf(logits[~valid]).all() and torch.isfinite(logits[valid]).all()
    torch.testing.assert_close(logits[41].sigmoid(), torch.tensor([1.5 / 40, 1.5 / 50, 0.05, 0.05]))


def test_rank_descends_and_take_follows_it() -> None:
    scores = torch.tensor([[0.1, 3.0, -1.0, 2.0]])
    kept = rank(scores, 3)
    assert kept.tolist() == [[1, 3, 0]]
    assert take(torch.arange(8.0).view(1, 4, 2), kept).tolist() == [[[2, 3], [6, 7], [0, 1]]]
