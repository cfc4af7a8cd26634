"""A detector, a filter, a format and a sidecar of other packages at once, on Ray: each is found where it works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from lp_ray.base.limits import OURS
from lp_ray.media.images import read_image
from tests.plugins import test_detector, test_filter, test_format, test_sidecar


def test_a_job_on_ray_with_plugins_of_every_kind(
    run_with: Callable[..., Any],
    bright_and_dark: tuple[str, ...],
    rows: Callable[[], pa.Table],
) -> None:
    """What each of them does by itself is in its own module, in one process; an engine's job on Ray is in
    test_engine.py."""
    run_with("lp_ray.detectors", "middle", test_detector.TARGET)
    run_with("lp_ray.stages", "bright_enough", test_filter.TARGET)
    run_with("lp_ray.formats", "strip", test_format.TARGET)
    run = run_with("lp_ray.sidecars", "turns", test_sidecar.TARGET)
    ended = run(
        *("animate", *bright_and_dark),
        *("detector=middle", "stages={bright_enough: {least: 60}}", "pools.bright_enough.cpus=0.1"),
        *("format=strip", "sidecars=[turns]", "chunk_frames=2"),
    )
    assert ended.code == 0, ended.output
    assert "pairs: 1 done, 0 failed, 1 filtered" in ended.output and "pools.bright_enough actors=1" in ended.output
    bright, dark = rows().sort_by("source_id").to_pylist()
    assert (bright["status"], bright["kind"], bright["n_frames"]) == ("done", "strip", 5)
    assert bright["licences"] == ["Middle: public domain"] and bright["seconds"]["bright_enough"] > 0
    strip = read_image(Path(bright["video_uri"].removeprefix("file://")), OURS)
    assert strip.shape == (test_format.SIDE, 5 * test_format.SIDE, 3)
    turns = pyarrow.csv.read_csv(Path(bright["turns_uri"].removeprefix("file://")))
    assert turns["frame"].to_pylist() == list(range(5))
    assert (dark["status"], dark["stage"], dark["error_class"]) == ("filtered", "bright_enough", None)
