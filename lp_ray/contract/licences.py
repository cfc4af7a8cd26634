"""Licences of the models behind a result. Every result row lists them, because some forbid commercial use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """Licences by part: the engine's networks, the detector of people, the detector of animals."""

    engine: tuple[str, ...] = ()
    detector: tuple[str, ...] = ()
    animals: tuple[str, ...] = ()

    def of(self, detector: bool, animals: bool) -> list[str]:
        """Return the licences of the engine and of the other parts that were used, each once."""
        used = [*self.engine, *(self.detector if detector else ()), *(self.animals if animals else ())]
        return list(dict.fromkeys(used))
