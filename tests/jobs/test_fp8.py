"""What float8 would do to frames, emulated (`benchmarks.engine.fp8`)."""

from __future__ import annotations

import pytest
import torch

from benchmarks.engine.fp8 import LARGEST, Fp8Bench, rounded, run, table


def test_rounding_has_four_significant_bits_and_reaches_the_largest() -> None:
    x = torch.tensor([1.0, 17.0, 18.0, -448.0, 0.0])
    assert rounded(x, torch.tensor(LARGEST)).tolist() == [1.0, 16.0, 18.0, -448.0, 0.0]
    halved = rounded(x / 2, torch.tensor(LARGEST / 2))
    assert halved.tolist() == [0.5, 8.0, 9.0, -224.0, 0.0], "scaled to the largest there is"
    assert rounded(torch.zeros(3), torch.tensor(0.0)).tolist() == [0.0] * 3


@pytest.mark.slow
def test_tiny_networks_stay_above_38_db() -> None:
    report = run(Fp8Bench(size="tiny", channels=8))
    rows = {row["rounded"]: row for row in report["rows"]}
    assert rows["G and W"]["convolutions"] == rows["G"]["convolutions"] + rows["W"]["convolutions"] > 2
    assert all(38 < row["psnr_db"] < 60 for row in rows.values()), table(report)
