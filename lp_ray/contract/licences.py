"""Licences of the models that results are made with: a fact of each result, as some forbid commercial use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """Licences by what is used: the engine's networks, the detector of people, the detector of animals."""

    engine: tuple[str, ...] = ()
    detector: tuple[str, ...] = ()
    animals: tuple[str, ...] = ()

    def of(self, detector: bool, animals: bool) -> list[str]:
        """Return the terms of the engine and of what else was used, each once."""
        used = [*self.engine, *(self.detector if detector else ()), *(self.animals if animals else ())]
        return list(dict.fromkeys(used))
