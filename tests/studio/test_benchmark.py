"""The studio's benchmark refuses what it cannot measure as a command does: one line, exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.studio import ENGINE, USAGE, arguments
from lp_ray.base.errors import RefusedError
from tests.running import REPOSITORY


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), f"PICTURE is missing ({USAGE})"),
        (("a.jpg", "liveportrait"), f"a.jpg liveportrait: one word or four ({USAGE})"),
        (("/gone/a.jpg",), "/gone/a.jpg"),
    ],
)
def test_it_refuses_in_one_line(words: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.studio", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = ended.stderr.splitlines()
    assert line.startswith("refused: ") and said in line
    assert (ended.returncode, ended.stdout) == (2, "")


def test_an_engine_is_typed_whole_or_not_at_all() -> None:
    assert arguments(["a.jpg"]) == (Path("a.jpg"), *ENGINE)
    assert arguments(["a.jpg", "liveportrait", "seeded", "tiny"]) == (Path("a.jpg"), "liveportrait", "seeded", "tiny")
    with pytest.raises(RefusedError, match="one word or four"):
        arguments(["a.jpg", "liveportrait", "seeded", "tiny", "more"])
