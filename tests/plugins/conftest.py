"""Installing a plugin as a package does: an entry point in a `.dist-info` folder on the path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import skimage.data

from lp_ray.media.images import write_image
from lp_ray.output.results import read_results
from tests.running import REPOSITORY, Ended, Performances, RunJob

Run = Callable[..., Ended]


@pytest.fixture
def run_with(tmp_path: Path, run_job: RunJob) -> Callable[..., Run]:
    """Return what runs a job where `group` has the entry point `name`, `module:attribute`."""

    def install(group: str, name: str, target: str) -> Run:
        folder = tmp_path / "installed" / f"plugin_{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: plugin-{name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
        path = os.pathsep.join([str(folder.parent), str(REPOSITORY)])

        def run(job: str, *arguments: str) -> Ended:
            return run_job(job, *arguments, PYTHONPATH=path)

        return run

    return install


@pytest.fixture
def astronaut(tmp_path: Path) -> Path:
    """A portrait of 512 x 512."""
    path = tmp_path / "astronaut.png"
    write_image(path, skimage.data.astronaut())
    return path


@pytest.fixture
def one_pair(astronaut: Path, performances: Performances, tmp_path: Path) -> tuple[str, ...]:
    """Arguments of a job of one pair of five frames."""
    output = f"output={tmp_path / 'out'}"
    return f"source={astronaut}", f"driving={performances.talk}", "end_s=0.2", "paste_back=false", output


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[], pa.Table]:
    """Return the results of the test's job."""
    return lambda: read_results(str(tmp_path / "out"))
