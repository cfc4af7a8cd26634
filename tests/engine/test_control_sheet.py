"""The sheet of every control: each picture on it is that of its value, for both engines."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import control_sheet
from benchmarks.control_sheet import LINE, NAME, TILE, shown, write_sheets
from lp_ray.base.limits import Limits
from lp_ray.contract.edits import BY_NAME, CONTROLS
from lp_ray.media.images import read_image
from tests.generated import Generated

pytestmark = pytest.mark.slow


def test_every_control_has_its_neutral_and_both_ends() -> None:
    for control in CONTROLS:
        values = shown(control)
        assert len(values) == 3 and values.count(None) == 1 and values[2] == control.high
        assert values[0] == (None if control.neutral == control.low else control.low)
    assert shown(BY_NAME["blink"]) == (None, 0.5, 1)


def test_both_engines_have_a_sheet_on_which_every_control_shows(
    generated: Generated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row for each control that the engine has; no picture of a value is the neutral one."""
    few = [BY_NAME[name] for name in ("head_yaw", "pout", "smile", "blink")]
    monkeypatch.setattr(control_sheet, "CONTROLS", few)
    sheets = [*write_sheets(tmp_path, read_image(generated.portrait, Limits()))]
    assert [path.name for path in sheets] == ["preview.png", "liveportrait.png"]
    for path, controls in zip(sheets, ([c for c in few if c.preview], few), strict=True):
        picture = cv2.imread(str(path))
        assert picture is not None
        assert picture.shape == (len(controls) * (TILE + LINE), NAME + 3 * TILE, 3)
        for number, control in enumerate(controls):
            top = number * (TILE + LINE)
            tiles = [picture[top : top + TILE, NAME + n * TILE :][:, :TILE].astype(int) for n in range(3)]
            neutral = tiles[shown(control).index(None)]
            others = [tile for tile in tiles if tile is not neutral]
            assert len(others) == 2 and all(np.abs(tile - neutral).max() > 0 for tile in others), control.name
