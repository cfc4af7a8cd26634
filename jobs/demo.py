"""The demo: takes inputs from installed packages, runs the main job as a user would, and draws contact sheets."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.acting.film import film_performance
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import Limits
from lp_ray.media.images import read_image

from .cli import main
from .exit_codes import EXIT_DONE
from .places import folder_to_write
from .setup import required
from .sheets import write_sheets

N_GROUP_FACES = 6
PERFORMANCES = {
    "talk": (Fraction(25), True),
    "nod_and_shake": (Fraction(30000, 1001), False),
    "expressions": (Fraction(24), False),
}
"""Name of a performance -> its frame rate, and whether it has a sound track."""


def run(config: DictConfig) -> int:
    """Make the inputs, run the job on them, draw the sheets."""
    output = _folder(required(config, "output"))
    inputs = output / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    write_sources(inputs)
    write_drivings(inputs, float(config.seconds))
    command = [
        *("-m", "lp_ray", "animate"),
        f"sources={inputs / 'sources.parquet'}",
        f"drivings={inputs / 'drivings.parquet'}",
        *("pairing=cross", f"output={output}", "engine=preview", "paste_back=false"),
    ]
    print("$ python", *command, flush=True)
    code = subprocess.run([sys.executable, *command], check=False).returncode  # noqa: S603 - our own command
    if code != EXIT_DONE:
        return code
    root = storage.normalise(str(output))
    for sheet in write_sheets(root, storage.join(root, "sheets")):
        print(f"sheet:   {storage.shown(sheet)}")
    return EXIT_DONE


def _folder(typed: str) -> Path:
    """Return the demo's folder, which is a local one. Raises RefusedError."""
    path = storage.local_path(folder_to_write("output", typed))
    if path is None:
        raise RefusedError(f"output={typed}: the demo is made in a folder of this machine")
    return Path(path)


def write_sources(folder: Path) -> None:
    """Copy the astronaut (scikit-image) and the group photo (insightface), and list their seven faces."""
    for package, inside, name in (
        ("skimage", "data/astronaut.png", "astronaut.png"),
        ("insightface", "data/images/t1.jpg", "group.jpg"),
    ):
        shutil.copy2(_carried(package, inside), folder / name)  # keeps the time stamp, so that a rerun finds its pairs
    rows = [{"uri": str(folder / "astronaut.png"), "source_id": "astronaut", "face": None}]
    rows += [
        {"uri": str(folder / "group.jpg"), "source_id": f"group-{face}", "face": str(face)}
        for face in range(N_GROUP_FACES)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "sources.parquet")


def write_drivings(folder: Path, seconds: float) -> None:
    """Film the performances, with the astronaut as the actor, and list the clips in a manifest."""
    actor = read_image(folder / "astronaut.png", Limits())
    rows = []
    for name, (fps, sound) in PERFORMANCES.items():
        path = folder / f"{name}-{seconds:g}s.mp4"
        if not path.exists():
            film_performance(path, name, actor, fps, round(seconds * fps), sound)
        rows.append({"uri": str(path), "driving_id": name})
    pq.write_table(pa.Table.from_pylist(rows), folder / "drivings.parquet")


def _carried(package: str, inside: str) -> Path:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / inside).is_file():
            return path
    raise RefusedError(f"{inside} is not in the installed package {package}: run `make setup`")


if __name__ == "__main__":
    main("demo", run)
