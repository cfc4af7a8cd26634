"""Named edits: those that the package carries (presets.yaml), and users' own from a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest
from lp_ray.contract.edits import Edits, make_edits

CARRIED = Path(__file__).with_name("presets.yaml")
MAX_BYTES = 1 << 20


def preset(typed: str, where: str) -> Edits:
    """Return the values of a named edit: a carried one (`smile`), or one of a file (`my_edits.yaml:smile`).

    `where` says whose it is; every message begins with it. Raises RefusedError for a file that is no table of edits, an
    unknown name, or values that no control has.
    """
    place, colon, name = typed.rpartition(":")
    known = _read(Path(place).expanduser() if colon else CARRIED, where)
    if name not in known:
        raise RefusedError(f"{where}: edit={typed!r}: there is no edit {name!r}{nearest(name, known)}")
    return _edits(known[name], f"{where}: edit={typed}")


def read_presets(path: Path, where: str) -> dict[str, Edits]:
    """Return all edits of a file that `preset` takes names from. Raises RefusedError as `preset` does."""
    return {name: _edits(values, f"{where}: {name}") for name, values in _read(path, where).items()}


def write_presets(path: Path, edits: Mapping[str, Edits]) -> None:
    """Write edits as such a file."""
    table = {name: dict(values) for name, values in edits.items()}
    path.write_text(yaml.safe_dump(table, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _edits(values: Any, where: str) -> Edits:
    if not isinstance(values, dict):
        raise RefusedError(f"{where}: must be controls with values, such as {{smile: 0.9}}")
    return make_edits({str(control): value for control, value in values.items()}, where)


def preset_names() -> tuple[str, ...]:
    """Return the names of the carried edits."""
    return tuple(_read(CARRIED, "presets"))


def _read(path: Path, where: str) -> Mapping[str, Any]:
    try:
        state = path.stat()
    except OSError as error:
        raise RefusedError(f"{where}: edit={path}: {error.strerror}; carried edits have no colon") from error
    if state.st_size > MAX_BYTES or not path.is_file():
        raise RefusedError(f"{where}: edit={path}: must be a file of at most {MAX_BYTES:,} bytes")
    try:
        table = _parsed(path, state.st_mtime_ns)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise RefusedError(f"{where}: edit={path}: no YAML file: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(table, dict):
        raise RefusedError(f"{where}: edit={path}: must be a table of names and their values")
    return {str(name): values for name, values in table.items()}


@lru_cache(16)
def _parsed(path: Path, changed: int) -> Any:
    """Read a file once for as long as it stays as it is, however many rows name its edits."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))
