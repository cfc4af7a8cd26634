"""Settings as they are declared: a default, and what it means. Configuration, docs and checks derive from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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


def bound(default: Any, text: str) -> Any:
    """Declare a number of a dataclass of bounds, with what is held under it."""
    return field(default=default, metadata={"help": text})
