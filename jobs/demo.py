"""The demo: takes inputs from installed packages, runs the main job as a user would, and draws contact sheets."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Sitter:
    """Somebody in a carried picture, by the rule that finds the face there."""

    picture: str
    face: str


SITTERS = {
    "astronaut": Sitter("astronaut.png", "large-small"),
    "group-0": Sitter("group.jpg", "0"),
    "group-2": Sitter("group.jpg", "2"),
    "group-5": Sitter("group.jpg", "5"),
    "hard-case-three-quarter-view": Sitter("group.jpg", "1"),
}
"""The sources, those that look at the camera first. Sheets list them in the order of their names. A warp of one picture
cannot show what that hides: the last one tells how far it goes, and how it ends."""


@dataclass(frozen=True)
class Role:
    """Who plays a performance, at what frame rate, and whether it has a sound track."""

    actor: str
    fps: Fraction
    sound: bool


PERFORMANCES = {
    "talk": Role("astronaut", Fraction(25), True),
    "nod_and_shake": Role("group-0", Fraction(30000, 1001), False),
    "expressions": Role("group-2", Fraction(24), False),
}
"""Every actor is a source, too: each drives the others and itself."""


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
    """Copy the astronaut (scikit-image) and the group photo (insightface), and list the faces of `SITTERS`."""
    for package, inside, name in (
        ("skimage", "data/astronaut.png", "astronaut.png"),
        ("insightface", "data/images/t1.jpg", "group.jpg"),
    ):
        shutil.copy2(_carried(package, inside), folder / name)  # keeps the time stamp, so that a rerun finds its pairs
    rows = [
        {"uri": str(folder / sitter.picture), "source_id": name, "face": sitter.face}
        for name, sitter in SITTERS.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "sources.parquet")


def write_drivings(folder: Path, seconds: float) -> None:
    """Film the performances, each with its actor, and list the clips in a manifest."""
    rows = []
    for name, role in PERFORMANCES.items():
        actor = SITTERS[role.actor]
        path = folder / f"{name}-by-{role.actor}-{seconds:g}s.mp4"
        if not path.exists():
            picture = read_image(folder / actor.picture, Limits())
            film_performance(path, name, picture, role.fps, round(seconds * role.fps), role.sound, actor.face)
        rows.append({"uri": str(path), "driving_id": f"{name} (by {role.actor})"})
    pq.write_table(pa.Table.from_pylist(rows), folder / "drivings.parquet")


def _carried(package: str, inside: str) -> Path:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / inside).is_file():
            return path
    raise RefusedError(f"{inside} is not in the installed package {package}: run `make setup`")


if __name__ == "__main__":
    main("demo", run)
