"""Actors of every stage die all the time: the job makes every pair whole all the same."""

from __future__ import annotations

import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.faults.drivers import driver
from tests.faults.material import make_numbered, strip_numbers
from tests.faults.outputs import check_whole, rows

pytestmark = pytest.mark.ray

STAGES = ("TrackClips", "ExtractMotion", "CropSources", "AnimatePairs", "WriteSegments", "finalize_pair")
"""By which Ray names the processes of actors and tasks."""
FRAMES = 20
EACH = 2
"""Deaths of each stage's actors; finalize tasks are short, and met by chance only."""


def test_every_pair_is_whole_though_actors_of_every_stage_die(tmp_path: Path) -> None:
    """Throughout a job of 60 pairs (6 source videos, 10 drivings) actors of every stage are killed at random.

    60 of 60 are done, each with one row and one object, and every frame is in its place: each frame of a source video
    carries its number in pixels, and these are read back from the results. Nobody but Ray starts anything again.
    """
    manifests = make_numbered(tmp_path / "in", n_sources=6, n_drivings=10, n_frames=FRAMES)
    output, chance = tmp_path / "out", random.Random(5)
    killed = dict.fromkeys(STAGES, 0)
    with driver(
        "animate", *manifests.arguments(output), "chunk_frames=4", "span_chunks=2", log=tmp_path / "log"
    ) as job:
        while job.process.poll() is None:
            time.sleep(chance.uniform(0.2, 0.8))
            there = {stage: job.workers(stage) for stage in STAGES if killed[stage] < EACH}
            stages = [stage for stage, workers in there.items() if workers]
            if stages and chance.random() < 0.4:
                stage = chance.choice(stages)
                with suppress(psutil.NoSuchProcess):
                    chance.choice(there[stage]).send_signal(signal.SIGKILL)
                    killed[stage] += 1
        assert job.process.returncode == 0, job.printed()
    print(f"killed: {killed}")
    assert all(killed[stage] for stage in STAGES[:-1]), killed
    check_whole(output, manifests.n_pairs)
    for row in rows(output):
        first = FRAMES * int(row["source_id"][1])
        video = Path(row["video_uri"].removeprefix("file://"))
        assert strip_numbers(video) == list(range(first, first + FRAMES)), row["source_id"]
