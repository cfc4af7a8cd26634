"""Actors of every stage die again and again, and the job still makes every pair."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.faults.drivers import Driver, driver
from tests.faults.material import make_numbered, strip_numbers
from tests.faults.outputs import check_whole, reached, rows

pytestmark = pytest.mark.ray

FRAMES = 12
FINALIZING = "finalize_pair"
"""By this and by the stages' names Ray names the processes of tasks and actors."""


def some_file(folder: Path) -> Callable[[], bool]:
    """Say whether a folder holds any file yet, however deep."""
    return lambda: any(path.is_file() for path in folder.rglob("*"))


class Reaper:
    """Kills actors of a job when something has happened there, and a few of the short tasks that it meets meanwhile."""

    def __init__(self, job: Driver) -> None:
        self._job = job
        self._tasks_left = 2
        self.killed: list[str] = []

    def kill_when(self, stage: str, happened: Callable[[], bool]) -> bool:
        """Kill an actor of the stage once `happened` holds; return whether the job lasted long enough for it."""

        def ready() -> bool:
            if self._tasks_left and self._kill(FINALIZING):
                self._tasks_left -= 1
            return happened() and bool(self._job.workers(stage))

        return self._job.wait_for(ready) and self._kill(stage)

    def _kill(self, name: str) -> bool:
        for process in self._job.workers(name):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
                self.killed.append(name)
                return True
        return False


def test_every_pair_is_whole_though_actors_of_every_stage_die(tmp_path: Path) -> None:
    """In a job of 60 pairs (6 source videos, 10 drivings) an actor of every stage is killed in the middle of its work,
    and those of the pairs' stages again and again while pairs are finished.

    60 of 60 are done, each with one row and one object, and every frame is in its place: each frame of a source video
    carries its number in pixels, and these are read back from the results. Nobody but Ray starts anything again.
    """
    manifests = make_numbered(tmp_path / "in", n_sources=6, n_drivings=10, n_frames=FRAMES)
    output = tmp_path / "out"
    with driver(
        "animate", *manifests.arguments(output), "chunk_frames=4", "span_chunks=2", log=tmp_path / "log"
    ) as job:
        reaper = Reaper(job)
        for stage, happened in (
            ("TrackClips", lambda: True),
            ("ExtractMotion", some_file(output / "templates")),
            ("CropSources", lambda: True),
            ("AnimatePairs", some_file(output / ".lp_ray" / "staging")),
            ("WriteSegments", reached(output, 3)),
        ):
            assert reaper.kill_when(stage, happened), f"the job ended before {stage} died: {job.printed()}"
        for n_videos, stage in ((10, "AnimatePairs"), (20, "WriteSegments"), (30, "CropSources"), (40, "AnimatePairs")):
            reaper.kill_when(stage, reached(output, n_videos))
        assert job.end() == 0, job.printed()
    print(f"killed: {reaper.killed}")
    check_whole(output, manifests.n_pairs)
    for row in rows(output):
        first = FRAMES * int(row["source_id"][1])
        video = Path(row["video_uri"].removeprefix("file://"))
        assert strip_numbers(video) == list(range(first, first + FRAMES)), row["source_id"]
