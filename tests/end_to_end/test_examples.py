"""The programs in examples/, run as they stand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

from tests.generated import Generated
from tests.running import REPOSITORY

pytestmark = pytest.mark.ray


def run_example(name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the programs from somewhere else than the repository."""
    return subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / name), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def test_the_own_pipeline(generated: Generated, tmp_path: Path) -> None:
    """Portraits that its filter leaves in are animated on its Ray; what comes back goes on."""
    portraits = tmp_path / "portraits"
    portraits.mkdir()
    for name, path in (("astronaut", generated.portrait), ("second", generated.closed_mouth)):
        shutil.copyfile(path, portraits / f"{name}.jpg")
    (portraits / "thumbnail.jpg").write_bytes(generated.portrait.read_bytes()[:2000])
    arguments = [str(portraits), str(generated.silent_clip), str(tmp_path / "out")]
    ended = run_example("own_pipeline.py", tmp_path, *arguments)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["astronaut: 10 frames, demo", "second: 10 frames, demo"]


def test_a_look_at_the_results(generated: Generated, tmp_path: Path) -> None:
    """A folder becomes a table, in which what cannot be read has its reason, and a picture of what was made."""
    portraits, output = tmp_path / "portraits", tmp_path / "out"
    portraits.mkdir()
    shutil.copyfile(generated.portrait, portraits / "a.jpg")
    (portraits / "b.jpg").write_bytes(b"no picture")
    ended = run_example("look_at_results.py", tmp_path, str(portraits), str(generated.silent_clip), str(output))
    assert ended.returncode == 0, ended.stderr
    done, failed = ended.stdout.splitlines()[1:3]
    assert done.split()[:3] == [f"a__{generated.silent_clip.stem.replace(' ', '_')}", "done", "15.0"]
    assert failed.split()[1] == "failed" and "not a picture" in failed
    with PIL.Image.open(output / "look.png") as look:
        assert look.size == (8 * 128, 128)
