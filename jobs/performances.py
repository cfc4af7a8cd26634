"""Make natural performances by code: `lp-ray performances --help`."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from typing import Any

import pyarrow as pa
from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.acting.generate import Ranges, natural
from lp_ray.base.errors import RefusedError
from lp_ray.contract.manifest import read_manifest
from lp_ray.contract.tables import to_bytes
from lp_ray.motion.performance_io import write_parquet

from .cli import main
from .exit_codes import EXIT_DONE
from .places import folder_to_write
from .setup import plain, required

MOST = 10_000_000
MANIFEST = "drivings.parquet"


def run(config: DictConfig) -> int:
    """Write the tables, then the manifest of all that were asked for."""
    output = folder_to_write("output", required(config, "output"))
    count, seed, first = (_whole(config, name, least) for name, least in (("count", 1), ("seed", 0), ("first", 0)))
    seconds, fps, ranges = _seconds(config), _fps(config), _ranges(config)
    names = [f"{seed}-{number:07d}" for number in range(first, first + count)]
    uris = [storage.join(output, f"{name}.perf.parquet") for name in names]
    for number, uri in enumerate(uris, first):
        storage.put_bytes(uri, write_parquet(natural(seed, number, seconds, fps, ranges)))
    place = storage.join(output, MANIFEST)
    made = {
        name: {"uri": uri, "driving_id": name, "consent": "synthetic"} for name, uri in zip(names, uris, strict=True)
    }
    rows = list((_listed(place) | made).values())
    storage.put_bytes(place, to_bytes(pa.Table.from_pylist(rows), MANIFEST))
    print(f"{count} performances of {seconds:g} s, manifest of {len(rows)}: {storage.shown(place)}")
    return EXIT_DONE


def _listed(place: str) -> dict[str, dict[str, Any]]:
    """Return the rows of the manifest that is there, by their ids."""
    if not storage.exists(place):
        return {}
    table = read_manifest(place, "driving").select(["uri", "driving_id", "consent"])
    return {row["driving_id"]: row for row in table.to_pylist()}


def _whole(config: DictConfig, name: str, least: int) -> int:
    value = config[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST:
        raise RefusedError(f"{name}={value!r} must be a whole number from {least} to {MOST}")
    return value


def _seconds(config: DictConfig) -> float:
    value = config.seconds
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3600:
        raise RefusedError(f"seconds={value!r} must be above 0, at most 3600")
    return float(value)


def _fps(config: DictConfig) -> Fraction:
    try:
        fps = Fraction(str(config.fps))
    except (ValueError, ZeroDivisionError) as error:
        raise RefusedError(f"fps={config.fps!r} must be a number or a fraction, such as 30000/1001") from error
    if not 0 < fps <= 240:
        raise RefusedError(f"fps={config.fps!r} must be above 0, at most 240")
    return fps


def _ranges(config: DictConfig) -> Ranges:
    given: dict[str, Any] = plain(config.ranges)
    kinds = {field.name: tuple if isinstance(field.default, tuple) else float for field in fields(Ranges)}
    try:
        values: dict[str, Any] = {name: kinds[name](value) for name, value in given.items()}
        return Ranges(**values)
    except (TypeError, ValueError) as error:
        raise RefusedError(f"ranges: {error}") from error


if __name__ == "__main__":
    main("performances", run)
