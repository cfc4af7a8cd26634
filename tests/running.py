"""Jobs run as a user runs them: a command line, real Ray, real files. Loaded as a plugin by `tests/conftest.py`."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray.base.arrays import Image
from lp_ray.media.frames_zip import read_frames
from tests.generated import NOD_FPS, NOD_FRAMES, TALK_FPS, TALK_FRAMES, Performances

__all__ = ["NOD_FPS", "NOD_FRAMES", "TALK_FPS", "TALK_FRAMES", "Performances"]

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str


RunJob = Callable[..., Ended]


def on_ray(name: str, arguments: Sequence[str]) -> list[str]:
    """Return a command's arguments, so that it works on Ray whatever the number of pairs, unless they say otherwise."""
    chooses = name in ("animate", "templates") and not any(word.startswith("runtime=") for word in arguments)
    return [*arguments, "runtime=ray"] if chooses else [*arguments]


@pytest.fixture(scope="session")
def run_job() -> RunJob:
    """Run `python -m jobs.<name> key=value …` on Ray and return its exit code with all it printed."""

    def run(name: str, *arguments: str, **environment: str) -> Ended:
        ended = subprocess.run(
            [sys.executable, "-m", f"jobs.{name}", *on_ray(name, arguments)],
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


@pytest.fixture
def call_job(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunJob:
    """Run what `python -m jobs.<name> key=value …` runs, in this process: what starts no Ray (see docs/testing.md)."""

    def call(name: str, *arguments: str, **environment: str) -> Ended:
        terminate = signal.getsignal(signal.SIGTERM)
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [f"jobs/{name}.py", *arguments])
            for variable, value in environment.items():
                patch.setenv(variable, value)
            try:
                with pytest.raises(SystemExit) as stop, warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)  # the module may have been imported by a test
                    runpy.run_module(f"jobs.{name}", run_name="__main__", alter_sys=False)
            finally:
                signal.signal(signal.SIGTERM, terminate)
        return Ended(int(stop.value.code or 0), "".join(capfd.readouterr()))

    return call


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


def read_frames_of(uri: str) -> list[Image]:
    """Return the frames of a result in `format=frames`."""
    return list(read_frames(Path(uri.removeprefix("file://"))))
