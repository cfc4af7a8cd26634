"""Make natural performances by code: `lp-ray performances --help`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from omegaconf import DictConfig

from lp_ray import storage
from lp_ray.acting.generate import Ranges, jaw_of_sound, natural
from lp_ray.base.errors import InputError, RefusedError
from lp_ray.contract.manifest import read_manifest
from lp_ray.contract.media_kinds import SOUND_SUFFIXES, ending_of, sounds_beside
from lp_ray.contract.tables import to_bytes
from lp_ray.media.loudness import levels_of_sound
from lp_ray.motion.performance import Performance
from lp_ray.motion.performance_io import write_parquet

from .cli import main
from .exit_codes import EXIT_DONE
from .numbers import number, whole
from .places import folder_to_write
from .setup import plain, required

MOST = 10_000_000
MANIFEST = "drivings.parquet"
TABLE = ".perf.parquet"
SCHEMA = pa.schema([("uri", pa.string()), ("driving_id", pa.string()), ("consent", pa.string())])
SECONDS = 5.0
LONGEST_S = 3600
_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class _Sound:
    """A sound file on this machine, its length, and lips that follow it."""

    path: Path
    suffix: str
    seconds: float
    jaw: Performance


def run(config: DictConfig) -> int:
    """Write the tables, then the manifest of all that were asked for."""
    output = folder_to_write("output", required(config, "output"))
    numbers = (whole(name, config[name], least, MOST) for name, least in (("count", 1), ("seed", 0), ("first", 0)))
    count, seed, first = numbers
    seconds, fps, ranges = _seconds(config), _fps(config), _ranges(config)
    names = [f"{seed}-{number:07d}" for number in range(first, first + count)]
    uris = [storage.join(output, f"{name}{TABLE}") for name in names]
    with ExitStack() as stack:
        sound = _sound(config, stack, seconds, fps, ranges)
        _check_beside(uris, sound.suffix if sound else "")
        seconds = seconds or (sound.seconds if sound else SECONDS)
        for number, uri in enumerate(uris, first):
            jaw = sound.jaw if sound else None
            storage.put_bytes(uri, write_parquet(natural(seed, number, seconds, fps, ranges, jaw)))
            if sound:
                storage.put_file(sound.path, uri.removesuffix(TABLE) + sound.suffix)
    place = storage.join(output, MANIFEST)
    consent = None if sound else "synthetic"  # whose voice it is, and whether they agreed, only the user knows
    made = {name: {"uri": uri, "driving_id": name, "consent": consent} for name, uri in zip(names, uris, strict=True)}
    rows = list((_listed(place) | made).values())
    storage.put_bytes(place, to_bytes(pa.Table.from_pylist(rows, SCHEMA), MANIFEST))
    print(f"{count} performances of {seconds:g} s, manifest of {len(rows)}: {storage.shown(place)}")
    return EXIT_DONE


def _sound(config: DictConfig, stack: ExitStack, seconds: float | None, fps: Fraction, ranges: Ranges) -> _Sound | None:
    """Return the sound that is performed to, as long as `stack` is open; None if there is none."""
    typed = config.sound
    if typed in (None, ""):
        return None
    suffix = ending_of(str(typed))
    if suffix not in SOUND_SUFFIXES:
        raise RefusedError(f"sound={typed} must be a sound file, by its name too: {', '.join(SOUND_SUFFIXES)}")
    idle = [name for name in ("speaking", "syllables") if getattr(ranges, name) != getattr(Ranges, name)]
    if idle:
        raise RefusedError(f"ranges.{idle[0]} has no effect with sound=…, which the lips follow; leave it out")
    try:
        path = stack.enter_context(storage.local_copy(str(typed)))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lp_ray-sound-")))
        loud = levels_of_sound(path, fps, seconds or LONGEST_S + 1, folder)
    except InputError as error:
        raise RefusedError(f"sound={storage.redact(str(typed))}: {error}") from error
    length = float(len(loud) / fps)
    if length > LONGEST_S:
        raise RefusedError(f"sound={typed} is longer than {LONGEST_S} s: say seconds=… to take its beginning")
    return _Sound(path, suffix, length, jaw_of_sound(loud, fps, ranges.lips_open))


def _check_beside(tables: list[str], suffix: str) -> None:
    """Refuse to write tables where other sounds lie, which would become theirs. `suffix` is that of their own sound."""
    for first in range(0, len(tables), _AT_ONCE):
        beside = [sound for table in tables[first : first + _AT_ONCE] for sound in sounds_beside(table)]
        others = storage.versions(sound for sound in beside if not suffix or not sound.endswith(suffix))
        if others:
            raise RefusedError(
                f"{storage.shown(min(others))} would become the sound of the table beside it, which is not performed "
                "to it: take it away, or choose another output, seed or first"
            )


def _listed(place: str) -> dict[str, dict[str, Any]]:
    """Return the rows of the manifest that is there, by their ids."""
    if not storage.exists(place):
        return {}
    table = read_manifest(place, "driving").select(["uri", "driving_id", "consent"])
    return {row["driving_id"]: row for row in table.to_pylist()}


def _seconds(config: DictConfig) -> float | None:
    value = config.seconds
    if value is None:
        return None
    return number("seconds", value, 0, LONGEST_S, above=True)


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
