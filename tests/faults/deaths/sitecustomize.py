"""A death at a chosen step of finalizing, for every Python process that finds this file on its path.

`LP_RAY_TEST_DIES_IN` names the step, `LP_RAY_TEST_DIED` a file that is written with the pair's key as the process
stands still there: whoever watches it then kills the whole job. Nothing of the product knows of it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.faults.planter import plant

STEP, DIED = os.environ.get("LP_RAY_TEST_DIES_IN", ""), Path(os.environ.get("LP_RAY_TEST_DIED", "/nowhere"))


def stand_still(key: str) -> None:
    """Say so, and wait for the end; only the first to come here does."""
    begun = DIED.with_suffix(f".{os.getpid()}")
    begun.write_text(key)
    try:
        os.link(begun, DIED)  # whole at once
    except FileExistsError:
        return
    time.sleep(600)


KEYS: list[str] = []
"""Pairs that this process has begun to join."""


def plant_in_finalize(module: ModuleType) -> None:
    """Before the segments are joined, or between the video and its row."""
    join, write_row = module._join, module.write_row

    def planted_join(settings: Any, layout: Any, work: Any, *more: Any) -> Any:
        KEYS.append(work.pair_id)
        if STEP == "join":
            stand_still(work.pair_id)
        return join(settings, layout, work, *more)

    def planted_row(layout: Any, row: dict[str, Any]) -> None:
        if STEP == "row":
            stand_still(row["pair_id"])
        write_row(layout, row)

    module._join, module.write_row = planted_join, planted_row


def plant_in_storage(module: ModuleType) -> None:
    """In the middle of copying a video to its place."""
    copyfile = module.shutil.copyfile

    def planted(source: Any, target: Any) -> Any:
        if STEP == "upload" and Path(target).parent.name == "videos":
            Path(target).write_bytes(Path(source).read_bytes()[:500])
            stand_still(KEYS[-1])
        return copyfile(source, target)

    module.shutil.copyfile = planted


PLANTS = {
    "lp_ray.stages.finalize": plant_in_finalize,
    "lp_ray.storage.access": plant_in_storage,
}

plant(PLANTS)
