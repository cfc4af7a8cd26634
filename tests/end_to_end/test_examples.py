"""The programs in examples/, run as they stand."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.generated import Generated
from tests.running import REPOSITORY

pytestmark = pytest.mark.ray


def test_the_own_pipeline(generated: Generated, tmp_path: Path) -> None:
    """Portraits that its filter leaves in are animated on its Ray; what comes back goes on."""
    portraits = tmp_path / "portraits"
    portraits.mkdir()
    for name, path in (("astronaut", generated.portrait), ("second", generated.closed_mouth)):
        shutil.copyfile(path, portraits / f"{name}.jpg")
    (portraits / "thumbnail.jpg").write_bytes(generated.portrait.read_bytes()[:2000])
    arguments = [str(portraits), str(generated.silent_clip), str(tmp_path / "out")]
    ended = subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / "own_pipeline.py"), *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["astronaut: 10 frames, demo", "second: 10 frames, demo"]
