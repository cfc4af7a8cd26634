"""engine.finishing=device in the whole job: the same videos as from the stage `write`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.base.limits import OURS
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.media.clip import open_clip
from lp_ray.output import results
from tests.generated import Generated
from tests.running import Performances, RunJob, write_manifest

pytestmark = pytest.mark.slow

SEEDED = ("engine=liveportrait", "engine.weights=seeded", "engine.size=tiny", "crf=1")


def test_pixels_do_not_depend_on_who_pastes_back(
    tmp_path: Path, generated: Generated, performances: Performances, run_job: RunJob
) -> None:
    """Pairs that need crops (a comparison, none pasted back) go their own way in the same job."""
    sources = write_manifest(tmp_path / "s.parquet", [{"uri": str(generated.portrait), "source_id": "s"}])
    drivings = write_manifest(tmp_path / "d.parquet", [{"uri": str(performances.nod), "driving_id": "d", "end_s": 0.1}])
    ways = [{}, {"comparison": True}, {"paste_back": False}]
    pairs = write_manifest(
        tmp_path / "p.parquet",
        [{"source_id": "s", "driving_id": "d", "comparison": False, "paste_back": True, **way} for way in ways],
    )
    shown = []
    for finishing in ("cpu", "device"):
        output = tmp_path / finishing
        command = (f"sources={sources}", f"drivings={drivings}", f"pairs={pairs}", f"output={output}")
        ended = run_job("animate", *command, *SEEDED, f"engine.finishing={finishing}")
        assert ended.code == 0, ended.output
        rows = results.read_results(str(output)).to_pylist()
        assert [row["status"] for row in rows] == ["done"] * 3
        shown.append({_way(row): _frames(row["video_uri"]) for row in rows})
    assert shown[0].keys() == shown[1].keys() and len(shown[0]) == 3
    for way, frames in shown[0].items():
        other = shown[1][way]
        assert frames.shape == other.shape
        apart = np.abs(frames.astype(int) - other)
        if way == (True, False):  # pasted back, no comparison
            assert 0 < apart.max() <= 12 and apart.mean() < 1
        else:
            np.testing.assert_array_equal(frames, other)


def _way(row: dict[str, Any]) -> tuple[bool, bool]:
    """Whether a pair was pasted back, and whether it has a comparison."""
    return (row["width"], row["height"]) != (FRAME_SIZE, FRAME_SIZE), row["comparison_uri"] is not None


def _frames(uri: str) -> NDArray[np.uint8]:
    return np.stack(list(open_clip(Path(uri.removeprefix("file://")), OURS).frames()))
