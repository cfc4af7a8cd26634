"""The progress, notes and summary that a running job reports to its user."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from lp_ray.output.results import ResultRow


@dataclass
class Progress:
    """Counts of a running phase. `frames` are finished output frames; `total_frames` is 0 while it is not known."""

    phase: str
    total: int
    done: int = 0
    failed: int = 0
    frames: int = 0
    total_frames: int = 0
    filtered: int = 0

    @property
    def settled(self) -> int:
        """Number of pairs or clips that have ended."""
        return self.done + self.failed + self.filtered

    @property
    def left(self) -> int:
        """Number of pairs or clips that have not ended."""
        return self.total - self.settled

    def count(self, status: str) -> None:
        """Count one more as ended, with `status` done, failed or filtered."""
        setattr(self, status, getattr(self, status) + 1)


class Reporter(Protocol):
    """Shows the progress of a job. It is called often, always from the same thread."""

    def update(self, progress: Progress) -> None:
        """Show the present progress."""
        ...

    def note(self, text: str) -> None:
        """Show a text that stays on the screen."""
        ...

    def settled(self, row: ResultRow) -> None:
        """Show that a pair got its result row."""
        ...


@dataclass
class Summary:
    """The counts at the end of a job.

    `before` counts, by status, pairs that an earlier run settled and that this job left alone.
    """

    by_status: dict[str, int] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    by_error: dict[str, int] = field(default_factory=dict)
    by_filter: dict[str, int] = field(default_factory=dict)
    templates_made: int = 0
    templates_reused: int = 0
    frames: int = 0
    seconds: float = 0.0
    unexpected: int = 0
    """Number of errors that no input caused."""

    @property
    def failed(self) -> int:
        """Number of failed pairs of the manifest, including those of earlier runs."""
        return self.by_status.get("failed", 0) + self.before.get("failed", 0)


class Silent:
    """A reporter for calls of the library. It shows nothing."""

    def update(self, progress: Progress) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def settled(self, row: ResultRow) -> None:
        """Do nothing: the caller gets the row."""
