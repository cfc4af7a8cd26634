"""Declared settings: a default and its meaning. Configuration, docs and checks are derived from the declarations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, cast

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest

Spec = TypeVar("Spec")


@dataclass(frozen=True)
class Setting:
    """One setting of a plugin: its default, and one line on what it does."""

    default: object
    text: str


Declared = Mapping[str, Setting]
"""A plugin's settings by name."""


def defaults(declared: Declared) -> dict[str, object]:
    """Return the defaults of settings by name."""
    return {name: setting.default for name, setting in declared.items()}


def shared(kind: type[Any]) -> frozenset[str]:
    """Return the settings that all plugins of a sort have: the fields of their spec but `settings`."""
    return frozenset(field.name for field in fields(kind)) - {"settings"}


def spec_of(kind: type[Spec], values: Mapping[str, object]) -> Spec:
    """Build a spec: shared settings become its fields, all others are passed to the plugin unchanged."""
    fixed, build = shared(kind), cast(Callable[..., Spec], kind)
    own = tuple(sorted((name, value) for name, value in values.items() if name not in fixed))
    return build(**{name: str(values[name] or "") for name in fixed & values.keys()}, settings=own)


def check_declared(given: Collection[str], known: Collection[str], group: str = "") -> None:
    """Raise RefusedError for a name that is not among the known ones, with the nearest and all of them.

    `group` is what stands before a name on a command line, such as `engine.`.
    """
    if unknown := sorted(set(given) - set(known)):
        listed = ", ".join(sorted(known)) or "none"
        raise RefusedError(f"{group}{unknown[0]}: no such setting{nearest(unknown[0], known)} (settings: {listed})")


def bound(default: Any, text: str) -> Any:
    """Declare a numeric field of a dataclass of limits; `text` says what it limits."""
    return field(default=default, metadata={"help": text})
