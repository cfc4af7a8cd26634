"""A death at a chosen step of an export, for every Python process that finds this file on its path.

`LP_RAY_TEST_STEP` is `sample` (in the middle of a shard) or `note` (between a shard's files and the note that it is
finished), `LP_RAY_TEST_TIMES` how many samples or notes come before it. There the process writes `LP_RAY_TEST_DIED` and
stands still: whoever watches kills it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.faults.planter import plant

STEP, LEFT = os.environ.get("LP_RAY_TEST_STEP", ""), [int(os.environ.get("LP_RAY_TEST_TIMES", "0"))]


def count_down() -> None:
    if LEFT[0] == 0:
        Path(os.environ["LP_RAY_TEST_DIED"]).write_text("here")
        time.sleep(600)
    LEFT[0] -= 1


def plant_in_samples(module: ModuleType) -> None:
    video = module.Sample.video

    def planted(self: Any) -> Any:
        if STEP == "sample":
            count_down()
        return video(self)

    module.Sample.video = planted


def plant_in_target(module: ModuleType) -> None:
    note = module.Target.note

    def planted(self: Any, shard: Any) -> None:
        if STEP == "note":
            count_down()
        note(self, shard)

    module.Target.note = planted


plant({"lp_ray.dataset.samples": plant_in_samples, "lp_ray.dataset.target": plant_in_target})
