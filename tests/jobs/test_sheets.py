"""Contact sheets show results of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs.sheets import write_sheets
from lp_ray import LivePortraitPipeline
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.media.images import read_image
from lp_ray.report.sheet import CELL
from tests.generated import Generated

pytestmark = pytest.mark.slow


def test_each_kind_has_its_row(generated: Generated, tmp_path: Path) -> None:
    """Four results of one driving, in every form, and a still of another: full rows, and a row of one."""
    pipeline = LivePortraitPipeline(engine="preview")
    source, driving, output = generated.portrait, generated.silent_clip, tmp_path / "out"
    for made in ("mp4", "gif", "frames"):
        pipeline.animate(source, driving, output, end_s=0.4, format=made, paste_back=False)
    pipeline.animate(source, generated.still, output, paste_back=False)
    shown = {sheet.shape[0] > 3 * CELL: sheet for sheet in map(_read, write_sheets(str(output), tmp_path / "sheets"))}
    several, still = shown[True], shown[False]
    rows = [several[top : top + CELL, :CELL] for top in range(40, several.shape[0] - CELL, CELL + 22)]
    assert len(rows) == 3
    for row in rows[1:]:
        assert np.abs(row.astype(int) - rows[0]).mean() < 8, "the same first frame, but for the codec"
    assert still.shape[1] < 2 * CELL


def test_an_output_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no finished pairs"):
        write_sheets(str(tmp_path), tmp_path / "sheets")


def _read(path: Path) -> np.ndarray:
    return read_image(path, Limits())
