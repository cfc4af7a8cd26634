"""What the shared conftest does to tests: a false marker fails, what lacks real media is skipped and named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.running import REPOSITORY


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
    return subprocess.run(
        [*command, f"--rootdir={REPOSITORY}", str(module), *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
