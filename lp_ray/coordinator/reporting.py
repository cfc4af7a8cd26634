"""What a running job tells whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from lp_ray.output.results import ResultRow


@dataclass
class Progress:
    """Counts so far. `frames` are finished output frames, `total_frames` is 0 while it is not known yet."""

    phase: str
    total: int
    done: int = 0
    failed: int = 0
    frames: int = 0
    total_frames: int = 0
    filtered: int = 0

    @property
    def settled(self) -> int:
        """How many have ended."""
        return self.done + self.failed + self.filtered

    @property
    def left(self) -> int:
        """How many have not."""
        return self.total - self.settled

    def count(self, status: str) -> None:
        """One more has ended: done, failed or filtered."""
        setattr(self, status, getattr(self, status) + 1)


class Reporter(Protocol):
    """Shows progress; called often, from one thread."""

    def update(self, progress: Progress) -> None:
        """Show where the job is."""
        ...

    def note(self, text: str) -> None:
        """Say one thing that should stay on the screen."""
        ...

    def settled(self, row: ResultRow) -> None:
        """A pair has got its row."""
        ...


@dataclass
class Summary:
    """How a job ended.

    `before` counts pairs that had a standing result and were left alone, by status.
    """

    by_status: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    by_error: dict[str, int] = field(default_factory=dict)
    templates_made: int = 0
    templates_reused: int = 0
    frames: int = 0
    seconds: float = 0.0
    unexpected: int = 0
    """Errors that no input is to blame for."""

    @property
    def failed(self) -> int:
        """Failed pairs of the manifest, those of earlier runs included."""
        return self.by_status.get("failed", 0) + self.before.get("failed", 0)
