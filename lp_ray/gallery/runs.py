"""The summaries of an output's runs (`summaries/<run>.json`, see report/summary.py), as the page shows them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec

from lp_ray import storage
from lp_ray.output.layout import OutputLayout

SHOWN = 20
"""Runs that the page shows, the latest first."""
MOST_BYTES = 1_000_000
MOST_COUNTS = 50
"""Lines of one count, such as errors by their class."""


@dataclass(frozen=True)
class Run:
    """What a summary says. A run that was stopped has no counts."""

    outcome: str
    started_at: str = ""
    finished_at: str = ""
    engine: str = ""
    seconds: float = 0.0
    pairs: dict[str, int] = field(default_factory=dict)
    pairs_before: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    filters: dict[str, int] = field(default_factory=dict)
    templates: dict[str, int] = field(default_factory=dict)
    frames: int | None = None


@dataclass(frozen=True)
class Runs:
    """The latest runs, how many there were in all, and lines on summaries that cannot be read."""

    latest: list[Run]
    count: int
    lacking: list[str]

    def described(self) -> dict[str, Any]:
        """Return what the page knows of them."""
        return {"count": self.count, "latest": [_bounded(asdict(run)) for run in self.latest]}


def read_runs(layout: OutputLayout) -> Runs:
    """Read the summaries of the latest runs; an output may have thousands."""
    found = [info for info in storage.list_files(layout.summaries) if info.uri.endswith(".json")]
    newest = sorted(found, key=lambda info: (info.modified or 0.0, info.uri), reverse=True)[:SHOWN]
    small = [info.uri for info in newest if info.size <= MOST_BYTES]
    latest: list[Run] = []
    lacking = [f"{storage.shown(info.uri)}: larger than a summary" for info in newest if info.size > MOST_BYTES]
    for uri, data in zip(small, storage.read_many(small), strict=True):
        try:
            latest.append(msgspec.json.decode(data, type=Run))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            lacking.append(f"{storage.shown(uri)}: {error}")
    # Shards that ran at once end in any order, and a copied output has other times than its runs.
    latest.sort(key=lambda run: run.finished_at, reverse=True)
    return Runs(latest, len(found), lacking)


def _bounded(run: dict[str, Any]) -> dict[str, Any]:
    """Return a run with the first lines of each count: they are sorted, the most frequent first."""
    return {
        name: dict(list(value.items())[:MOST_COUNTS]) if isinstance(value, dict) else value
        for name, value in run.items()
    }
