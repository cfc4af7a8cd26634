"""What engines were asked for, and when, in whatever process they run: a line in a file for each."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lp_ray.engine.factory import CreateEngine, EngineSpec
from lp_ray.engine.protocol import Engine, Frames, SourceCrops, Span

PREPARED, ANIMATED = "prepared", "animated"
"""Sources whose features were computed; chunks that left an engine, with their frames."""


@dataclass(frozen=True)
class Stamp:
    """One event: `time.time()`, and how many frames it was of."""

    time_s: float
    n_frames: int


@dataclass(frozen=True)
class Tally:
    """A `CreateEngine` whose engines write down what they do, in a folder that all processes see."""

    folder: str
    create: CreateEngine

    @classmethod
    def in_folder(cls, folder: Path, create: CreateEngine) -> Self:
        folder.mkdir(parents=True)
        return cls(str(folder), create)

    def __call__(self, spec: EngineSpec) -> Engine:
        engine = self.create(spec)
        prepare, animate = engine.prepare, engine.animate

        def noted_prepare(source: SourceCrops) -> Any:
            self._note(PREPARED, len(source.images))
            return prepare(source)

        def noted_animate(source: Any, direction: Any, span: Span) -> Iterator[Frames]:
            for frames in animate(source, direction, span):
                self._note(ANIMATED, len(frames.images))
                yield frames

        engine.prepare, engine.animate = noted_prepare, noted_animate  # type: ignore[method-assign]
        return engine

    def stamps(self, what: str) -> list[Stamp]:
        """Return the events of a kind, in order of time."""
        place = Path(self.folder) / what
        lines = place.read_text().splitlines() if place.exists() else []
        return sorted((Stamp(float(t), int(n)) for t, n in map(str.split, lines)), key=lambda stamp: stamp.time_s)

    def _note(self, what: str, n_frames: int) -> None:
        file = os.open(Path(self.folder) / what, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{time.time():.6f} {n_frames}\n".encode())  # appended whole, whoever else writes
        os.close(file)
