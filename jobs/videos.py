"""Lay out an output's results under readable names: `lp-ray videos output=…`."""

from __future__ import annotations

import os
from pathlib import Path

from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.output.by_name import named

from .cli import main
from .exit_codes import EXIT_DONE
from .places import finished_rows, folder_to_read, folder_to_write
from .setup import required


def run(config: DictConfig) -> int:
    """Make or mend the links, and say how many there are."""
    output = folder_to_read("output", required(config, "output"))
    given = str(config.folder) if config.folder else storage.join(output, "by_name")
    folder = _local("folder", folder_to_write("folder", given))
    _local("output", output)
    done = finished_rows(output)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {}
    for name, row in named(done):
        result = _local("video_uri", row["video_uri"])
        wanted[f"{name}{result.suffix}"] = result
    for link in folder.iterdir():
        if link.is_symlink() and link.name not in wanted:  # of a pair that is not done any more
            link.unlink()
    for name, result in wanted.items():
        _link(folder / name, result)
    print(f"{len(wanted)} links: {folder}")
    return EXIT_DONE


def _link(link: Path, result: Path) -> None:
    """Link to a result by a relative path, so that both can be moved together."""
    target = os.path.relpath(result, link.parent)
    if link.is_symlink():
        if str(link.readlink()) == target:
            return
        link.unlink()
    elif link.exists():
        raise RefusedError(f"{link} is a file of somebody's own: choose another folder=…")
    link.symlink_to(target)


def _local(name: str, uri: str) -> Path:
    path = storage.local_path(uri)
    if path is None:
        raise RefusedError(f"{name}={storage.shown(uri)}: links are made on this machine's disks only")
    return Path(path)


if __name__ == "__main__":
    main("videos", run)
