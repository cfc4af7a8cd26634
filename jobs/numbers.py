"""Settings that hold a number: of what type, and in which range, is checked alike in all commands."""

from __future__ import annotations

import math

from lp_ray.base.errors import RefusedError


def number(name: str, value: object, least: float, most: float = math.inf, *, above: bool = False) -> float:
    """Return the setting `name` as a float between the two bounds; with `above`, the lower one itself is too little.

    Raises RefusedError for anything else, true and false included, which Python takes for 1 and 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not _within(value, least, most, above):
        raise RefusedError(f"{name}={value!r} must be a number {_range(least, most, above)}")
    return float(value)


def whole(name: str, value: object, least: int, most: float = math.inf) -> int:
    """Return the setting `name` as a whole number between the two bounds. Raises RefusedError as `number` does."""
    if isinstance(value, bool) or not isinstance(value, int) or not _within(value, least, most):
        raise RefusedError(f"{name}={value!r} must be a whole number {_range(least, most)}")
    return value


def _within(value: float, least: float, most: float, above: bool = False) -> bool:
    return least <= value <= most and not (above and value == least)


def _range(least: float, most: float, above: bool = False) -> str:
    if most == math.inf:
        return f"above {least:g}" if above else f"from {least:g} on"
    return f"above {least:g}, at most {most:.15g}" if above else f"from {least:g} to {most:.15g}"
