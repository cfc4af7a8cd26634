"""Filters: stages that pass rows on, or leave a pair out with a reason and a score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from lp_ray.base.errors import FilteredError
from lp_ray.stages.contract import Out, Stage


@dataclass(frozen=True)
class Verdict:
    """A filter's decision on a row: whether to keep it, the score behind the decision, and the reason if it is not
    kept."""

    keep: bool
    score: float | None = None
    reason: str = ""


class Filter(Stage[Out, Out]):
    """Base class of filters. A subclass decides in `judge`. A pair is `filtered` as soon as one of its rows is not
    kept."""

    @abstractmethod
    def judge(self, row: Out) -> Verdict:
        """Decide whether to keep a row."""

    def work(self, row: Out) -> Iterator[Out]:
        """Yield the row unchanged. Raises FilteredError if it is not kept."""
        verdict = self.judge(row)
        if not verdict.keep:
            raise FilteredError(verdict.reason, verdict.score)
        yield row
