"""What the tests themselves rely on: turns, markers and groups, in runs of pytest of their own."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from multiprocessing.synchronize import Event
from pathlib import Path

from tests.running import REPOSITORY
from tests.side_by_side import turn

WITHIN_S = 60.0
SPAWN = multiprocessing.get_context("spawn")


def take_turn(folder: Path, by_itself: bool, inside: Event, leave: Event) -> None:
    with turn(folder, by_itself):
        inside.set()
        assert leave.wait(WITHIN_S)


class Other:
    """Another process that takes its turn, stays until it may leave, and says when it is inside."""

    def __init__(self, folder: Path, by_itself: bool) -> None:
        self.inside, self.leave = SPAWN.Event(), SPAWN.Event()
        self.process = SPAWN.Process(target=take_turn, args=(folder, by_itself, self.inside, self.leave))
        self.process.start()

    def end(self) -> None:
        self.leave.set()
        self.process.join(WITHIN_S)
        assert self.process.exitcode == 0


def test_tests_run_beside_each_other_and_one_that_must_be_alone_does_not(tmp_path: Path) -> None:
    first, second = Other(tmp_path, False), Other(tmp_path, False)
    assert first.inside.wait(WITHIN_S) and second.inside.wait(WITHIN_S)
    alone = Other(tmp_path, True)
    first.end()
    assert not alone.inside.is_set(), "the second is still at work"
    second.end()
    assert alone.inside.wait(WITHIN_S)
    third = Other(tmp_path, False)
    assert not third.inside.wait(1.0), "nobody begins beside one that must be alone"
    alone.end()
    assert third.inside.wait(WITHIN_S)
    third.end()


COLLECT = """
import sys, pytest
for marker in sys.argv[1].split():
    print("marker", marker, flush=True)
    code = pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "-m", marker, *sys.argv[2:]])
    assert code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED), code
"""


def collected(markers: str, *paths: str) -> dict[str, list[str]]:
    """Return, by marker, the names of the tests that pytest chooses; one process, because imports take most of it."""
    command = [sys.executable, "-c", COLLECT, markers, *paths]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    chosen = {}
    for part in ended.stdout.split("marker ")[1:]:
        marker, *lines = part.splitlines()
        chosen[marker] = [line for line in lines if "::" in line]
    assert chosen.keys() == set(markers.split())
    return chosen


def test_markers_follow_from_folders_fixtures_and_parameters() -> None:
    chosen = collected("unit s3 golden ray", "tests/golden/test_kalman.py", "tests/output/test_lease.py", "tests/jobs")
    assert [name for name in chosen["golden"] if "test_kalman" in name]
    assert [name for name in chosen["s3"] if name.endswith("[s3]")]
    assert not [name for name in chosen["s3"] if name.endswith("[local]")]
    assert chosen["ray"] and not set(chosen["unit"]) & {*chosen["s3"], *chosen["golden"], *chosen["ray"]}
    assert [name for name in chosen["unit"] if "test_lease" in name and "[local]" in name]
