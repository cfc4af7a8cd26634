"""Jobs run as a user runs them: a command line, real Ray, real files. Loaded as a plugin by `tests/conftest.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import skimage.data

from lp_ray.acting.curves import Curves
from lp_ray.acting.film import film_performance
from lp_ray.base.arrays import Image
from lp_ray.media.frames_zip import read_frames

REPOSITORY = Path(__file__).resolve().parents[1]
TALK_FPS, NOD_FPS = Fraction(25), Fraction(30000, 1001)
TALK_FRAMES, NOD_FRAMES = 100, 90


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str


RunJob = Callable[..., Ended]


@pytest.fixture(scope="session")
def run_job() -> RunJob:
    """Run `python -m jobs.<name> key=value …` and return its exit code with all it printed."""

    def run(name: str, *arguments: str, **environment: str) -> Ended:
        ended = subprocess.run(
            [sys.executable, "-m", f"jobs.{name}", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=500,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout)

    return run


def write_manifest(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as a Parquet manifest; a column that a row lacks is null there."""
    names = {name: None for row in rows for name in row}
    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)
    return path


Spawn = Callable[..., "subprocess.Popen[str]"]


@contextmanager
def helpers(module: str) -> Iterator[Spawn]:
    """Starts `python -m <module> <argument> …` with pipes at each call; those left at the end are killed."""
    running: list[subprocess.Popen[str]] = []

    def spawn(*arguments: str) -> subprocess.Popen[str]:
        command, pipe = [sys.executable, "-m", module, *arguments], subprocess.PIPE
        running.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=REPOSITORY))
        return running[-1]

    yield spawn
    for process in running:
        process.kill()
        process.communicate()


def read_line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a helper prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@dataclass(frozen=True)
class Performances:
    """Two filmed performances: `talk` with sound at 25 fps, `nod_and_shake` at 30000/1001."""

    talk: Path
    talk_curves: Curves
    nod: Path
    nod_curves: Curves


@pytest.fixture(scope="session")
def performances(tmp_path_factory: pytest.TempPathFactory) -> Performances:
    folder = tmp_path_factory.mktemp("performances")
    actor = skimage.data.astronaut()
    talk, nod = folder / "talk.mp4", folder / "nod.mp4"
    return Performances(
        talk,
        film_performance(talk, "talk", actor, TALK_FPS, TALK_FRAMES, sound=True),
        nod,
        film_performance(nod, "nod_and_shake", actor, NOD_FPS, NOD_FRAMES, sound=False),
    )


def read_frames_of(uri: str) -> list[Image]:
    """Return the frames of a result in `format=frames`."""
    return list(read_frames(Path(uri.removeprefix("file://"))))
