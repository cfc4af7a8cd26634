"""Build the options of a pair from loose values: names, types and ranges are checked against their declarations."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import Field, asdict, fields, replace
from typing import Any, Literal, cast

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest
from lp_ray.contract.driving_reference import canonical_reference
from lp_ray.contract.edits import BY_NAME
from lp_ray.contract.options import OWN, PairOptions
from lp_ray.contract.presets import preset


def make_options(values: Mapping[str, Any], where: str) -> PairOptions:
    """Build checked options from loose values (configuration or a manifest row), in their canonical form.

    `where` says whose values these are ("options", "pairs row 7"); every message begins with it. None keeps the
    default. Raises RefusedError for an unknown name, a wrong type or a value out of range.
    """
    known = {f.name: f for f in fields(PairOptions)}
    hints = typing.get_type_hints(PairOptions)
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise RefusedError(f"{where}: unknown option {name!r}{nearest(name, known)}")
        if value is not None:
            checked[name] = _check(known[name], hints[name], value, where)
            if name in BY_NAME and BY_NAME[name].neutral is None and OWN < checked[name] < BY_NAME[name].low:
                raise RefusedError(f"{where}: {name}={value!r} must be {OWN:g} (the source's own), or 0 and more")
    options = _with_preset(PairOptions(**checked), checked, where)
    try:
        return replace(options, driving_reference=canonical_reference(options.driving_reference))
    except RefusedError as error:
        raise RefusedError(f"{where}: {error}") from error


def override(base: PairOptions, values: Mapping[str, Any], where: str) -> PairOptions:
    """Return `base` with the given values replaced; None keeps the value of `base`. Raises RefusedError.

    A named edit takes the place of all controls of `base`.
    """
    given = {name: value for name, value in values.items() if value is not None}
    kept = {name: value for name, value in asdict(base).items() if not (given.get("edit") and name in BY_NAME)}
    return make_options({**kept, **given}, where)


def _with_preset(options: PairOptions, given: Collection[str], where: str) -> PairOptions:
    """Return options in which a named edit has become the values of its controls, but for those that are `given`."""
    if not options.edit:
        return options
    values = {name: value for name, value in preset(options.edit, where).items() if name not in given}
    return replace(options, edit="", **cast(dict[str, Any], values))


def _check(option: Field[Any], kind: Any, value: Any, where: str) -> Any:
    if typing.get_origin(kind) is Literal or option.metadata["choices"]:
        allowed = option.metadata["choices"]() if option.metadata["choices"] else typing.get_args(kind)
        if value not in allowed:
            raise RefusedError(f"{where}: {option.name}={value!r} must be one of {', '.join(allowed)}")
        return value
    if isinstance(kind, types.UnionType):  # pragma: no cover - guards the declarations above
        raise TypeError(f"option {option.name} may not be a union")
    number = kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool)
    if not ((isinstance(value, kind) and (kind is bool or not isinstance(value, bool))) or number):
        raise RefusedError(f"{where}: {option.name}={value!r} must be {kind.__name__}")
    if kind is int and not (math.isfinite(value) and value == int(value)):
        raise RefusedError(f"{where}: {option.name}={value!r} must be a whole number")
    low, high = option.metadata["low"], option.metadata["high"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        raise RefusedError(f"{where}: {option.name}={value!r} must be between {low} and {high}")
    return kind(value) + 0 if number else kind(value)  # + 0 turns -0.0 into 0.0
