"""Alters modules of the product from outside, as soon as a process imports them: what `sitecustomize` files plant with.

It imports nothing but the standard library: it runs in every Python process of a job, before anything else.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

Plant = Callable[[ModuleType], None]


def plant(plants: Mapping[str, Plant]) -> None:
    """Have each of `plants` (module name -> what alters it) called once, right after its module's import."""
    sys.meta_path.insert(0, _Planter(dict(plants)))  # type: ignore[arg-type]


class _Planter:
    """Finds modules as Python does, and adds what is planted to their execution."""

    def __init__(self, plants: dict[str, Plant]) -> None:
        self._plants = plants

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        planted = self._plants.pop(name, None)
        spec = importlib.util.find_spec(name) if planted else None
        if spec is None or spec.loader is None or planted is None:
            return None
        execute = spec.loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            planted(module)

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec
