"""Plugins by name: those of this package, and those that other installed packages declare as entry points.

A package declares a plugin in its pyproject.toml:

    [project.entry-points."lp_ray.engines"]
    my_engine = "my_package.my_engine:PLUGIN"

Names come from users; code comes from installed packages only.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Generic, TypeVar, cast

from lp_ray.base.errors import RefusedError
from lp_ray.base.extras import check_part
from lp_ray.base.names import nearest

T = TypeVar("T")


class Registry(Generic[T]):
    """The plugins of one type. A plugin is imported when its name is first asked for."""

    def __init__(
        self, what: str, group: str, carried: Mapping[str, str], extras: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """`what` is the setting's name in messages. `carried` maps names to `module:attribute` in this package;
        `extras` names the extra (`lp_ray.base.extras`) that a plugin needs for its work."""
        self.what = what
        self.group = group
        self._carried = dict(carried)
        self._extras = dict(extras)
        self._loaded: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """Return all names, those of this package first."""
        return (*self._carried, *(name for name in self.foreign() if name not in self._carried))

    def foreign(self) -> tuple[str, ...]:
        """Return the names that other packages declare."""
        return tuple(sorted(_entry_points(self.group)))

    def get(self, name: str) -> T:
        """Return a plugin. Raises RefusedError for an unknown name, or if the plugin's module cannot be imported."""
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def get_for_work(self, name: str) -> T:
        """Return a plugin that is to work, not only to be described. Raises as `get` does, and RefusedError if the
        extra that it needs is not installed."""
        plugin = self.get(name)
        if name in self._extras:
            check_part(self._extras[name], f"{self.what}={name}")
        return plugin

    def _load(self, name: str) -> T:
        if name in self._carried:
            module, _, attribute = self._carried[name].partition(":")
            return cast(T, getattr(importlib.import_module(module), attribute))
        declared = _entry_points(self.group).get(name)
        if declared is None:
            known = self.names()
            raise RefusedError(f"{self.what}={name!r} must be one of {', '.join(known)}{nearest(name, known)}")
        try:
            return cast(T, declared.load())
        except (ImportError, AttributeError) as error:
            raise RefusedError(f"{self.what}={name!r}: {declared.value} cannot be imported: {error}") from error


@cache
def _entry_points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}
