"""Declared settings: a default and its meaning. Configuration, docs and checks are derived from the declarations."""

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
    """Declare a numeric field of a dataclass of limits; `text` says what it limits."""
    return field(default=default, metadata={"help": text})
