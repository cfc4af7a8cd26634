"""Arguments of these benchmarks, `name=value`, and files for their figures. They run where there is no Hydra."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from lp_ray.base.errors import RefusedError

from ..command import command, named

Bench = TypeVar("Bench")

PRECISIONS = ("float32", "bfloat16", "float16")
PRECISION_NAMES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32", **{name: name for name in PRECISIONS}}
"""How precisions may be called on the command line."""


def parsed(kind: type[Bench], given: Mapping[str, str]) -> Bench:
    """Return a dataclass of what is to be measured; its defaults say of which type each value is.

    Values of a tuple stand between commas. Raises RefusedError for a name or a value that there is not.
    """
    known = {field.name: getattr(kind, field.name) for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(given.keys() - known.keys()):
        raise RefusedError(f"{unknown[0]}: no such argument (there are: {', '.join(known)})")
    return kind(**{name: _value(name, value, known[name]) for name, value in given.items()})


def _value(name: str, value: str, default: Any) -> Any:
    if isinstance(default, tuple):
        return tuple(_value(name, item, default[0]) for item in value.split(","))
    if name in ("precision", "precisions"):
        if value not in PRECISION_NAMES:
            raise RefusedError(f"{name}={value!r} must be of {', '.join(PRECISION_NAMES)}")
        return PRECISION_NAMES[value]
    if isinstance(default, bool):
        return value == "true"
    try:
        return type(default)(value)
    except ValueError:
        raise RefusedError(f"{name}={value!r} must be of type {type(default).__name__}") from None


def save(place: str, report: Mapping[str, Any]) -> None:
    """Write the figures as JSON, if a place is given."""
    if place:
        Path(place).write_text(json.dumps(report, indent=1) + "\n")


def measure(kind: type[Bench], run: Callable[[Bench], dict[str, Any]], table: Callable[[dict[str, Any]], str]) -> None:
    """Be a command: measure what its arguments say, print the table, and write the figures to `json=FILE`, if given."""

    def measured(words: Sequence[str]) -> None:
        given = named(words)
        place = given.pop("json", "")
        report = run(parsed(kind, given))
        print(table(report))
        save(place, report)

    command(measured)
