"""Installing a plugin as a package does: an entry point in a `.dist-info` folder on the path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import skimage.data

from lp_ray.media.images import write_image
from lp_ray.output.results import read_results
from tests.running import REPOSITORY, Ended, Performances, RunJob, write_manifest

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
def bright_and_dark(astronaut: Path, performances: Performances, tmp_path: Path) -> tuple[str, ...]:
    """Arguments of a job of two pairs of five frames: the portrait, and the same with a quarter of its light."""
    write_image(tmp_path / "dark.png", (skimage.data.astronaut() // 4).astype(np.uint8))
    tables = {
        "sources": [
            {"uri": str(astronaut), "source_id": "bright"},
            {"uri": str(tmp_path / "dark.png"), "source_id": "dark"},
        ],
        "drivings": [{"uri": str(performances.talk), "driving_id": "d", "end_s": 0.2}],
    }
    manifests = (f"{name}={write_manifest(tmp_path / f'{name}.parquet', table)}" for name, table in tables.items())
    return (*manifests, "paste_back=false", f"output={tmp_path / 'out'}")


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[], pa.Table]:
    """Return the results of the test's job."""
    return lambda: read_results(str(tmp_path / "out"))
