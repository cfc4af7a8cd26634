"""What a move of a slider costs: `python -m benchmarks.studio PICTURE [ENGINE WEIGHTS SIZE]`, for example seeded tiny.

The studio's editor, which has read and prepared the picture once, against a fresh run of the same edit by the library,
in turn. Both have their networks loaded. Prints the median and the range of the rounds' ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.command import command
from lp_ray.api import LivePortraitPipeline
from lp_ray.base.errors import RefusedError
from lp_ray.engine.protocol import EngineSpec
from lp_ray.storage import Policy
from lp_ray.studio.editor import Editor

ROUNDS = 8
USAGE = "python -m benchmarks.studio PICTURE [ENGINE WEIGHTS SIZE]"
ENGINE = ("preview", "", "full")
"""Name, weights and size of the engine, if none is typed."""


def arguments(words: Sequence[str]) -> tuple[Path, str, str, str]:
    """Return picture, engine, weights and size. Raises RefusedError for a word too few or too many."""
    if len(words) not in (1, 1 + len(ENGINE)):
        wrong = "PICTURE is missing" if not words else f"{' '.join(words)}: one word or four"
        raise RefusedError(f"{wrong} ({USAGE})")
    picture, engine, weights, size = words if len(words) > 1 else (*words, *ENGINE)
    return Path(picture), engine, weights, size


def main(picture: Path, engine: str, weights: str, size: str) -> None:
    """Measure both in turn."""
    spec = EngineSpec(engine, weights=weights, size=size)
    pipeline = LivePortraitPipeline(weights, size=size, engine=engine)
    with TemporaryDirectory(prefix="lp_ray-studio-") as folder:
        editor = Editor(spec, Path(folder) / "edits", Policy())
        opened = editor.open(picture)
        editor.picture(opened, {"smile": 0.5})
        list(pipeline.frames(picture, "none", smile=0.5))
        moves, runs = [], []
        for step in range(ROUNDS):
            edit = {"smile": 0.1 * (step + 1), "head_yaw": float(step)}
            started = time.perf_counter()
            live = editor.picture(opened, edit)
            moves.append(time.perf_counter() - started)
            started = time.perf_counter()
            (fresh,) = pipeline.frames(picture, "none", **edit)
            runs.append(time.perf_counter() - started)
            assert np.array_equal(live, fresh), "the page shows what a job makes"
    ratios = [run / move for run, move in zip(runs, moves, strict=True)]
    print(f"move {1000 * statistics.median(moves):.0f} ms, fresh run {1000 * statistics.median(runs):.0f} ms")
    print(f"ratio {statistics.median(ratios):.1f} ({min(ratios):.1f}-{max(ratios):.1f})")


if __name__ == "__main__":
    command(lambda words: main(*arguments(words)))
