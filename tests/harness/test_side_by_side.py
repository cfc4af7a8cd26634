"""What the tests themselves rely on: turns, markers and groups, in runs of pytest of their own."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from tests.goldens import CARRIED
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


def collected(*arguments: str) -> list[str]:
    """Return the names of the tests that pytest chooses."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED), ended.stdout + ended.stderr
    return [line for line in ended.stdout.splitlines() if "::" in line]


def test_markers_follow_from_folders_fixtures_and_parameters() -> None:
    chosen = {
        marker: collected("-m", marker, "tests/golden/test_kalman.py", "tests/output/test_lease.py", "tests/jobs")
        for marker in ("unit", "s3", "golden", "ray")
    }
    assert [name for name in chosen["golden"] if "test_kalman" in name]
    assert all(name.endswith("[s3]") or "s3" in name for name in chosen["s3"]) and chosen["s3"]
    assert not set(chosen["unit"]) & {*chosen["s3"], *chosen["golden"], *chosen["ray"]}
    assert [name for name in chosen["unit"] if "test_lease" in name and "[local]" in name]


def test_a_unit_test_that_starts_ray_fails(tmp_path: Path) -> None:
    """The marker would be a lie, and `make check` slow."""
    (tmp_path / "test_it.py").write_text(
        "def test_it():\n    import ray\n    ray.is_initialized = lambda: True  # as if it ran\n"
    )
    ended = run_here(tmp_path / "test_it.py")
    assert ended.returncode == 1 and "a unit test must not start Ray" in ended.stdout, ended.stdout


def test_what_lacks_real_media_is_skipped_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(media): ...\n\ndef test_that(cases): ...\n")
    ended = run_here(tmp_path / "test_it.py", "--shared", str(tmp_path / "none"))
    assert ended.returncode == 0 and "2 skipped" in ended.stdout, ended.stdout
    section = ended.stdout.partition("2 tests need ../shared, which is not here")[2].splitlines()
    assert [line.split()[0] for line in section if "test_it.py" in line][:1] == ["2"], ended.stdout


def run_here(module: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of tests that lies elsewhere with the conftest of this folder."""
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", "pyproject.toml"]
    assert CARRIED.is_dir()
    return subprocess.run(
        [*command, f"--rootdir={REPOSITORY}", str(module), *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
