"""A filter is a stage that lets rows through or leaves their pair out, with a reason and a score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from lp_ray.base.errors import FilteredError
from lp_ray.stages.contract import Out, Stage


@dataclass(frozen=True)
class Verdict:
    """Whether a row is kept; the score that this was judged by, and the reason in words for one that is not."""

    keep: bool
    score: float | None = None
    reason: str = ""


class Filter(Stage[Out, Out]):
    """Base of filters: `judge` decides. The first row of a pair that is not kept makes the pair `filtered`."""

    @abstractmethod
    def judge(self, row: Out) -> Verdict:
        """Say whether a row is kept."""

    def work(self, row: Out) -> Iterator[Out]:
        """Yield the row as it came. Raises FilteredError for one that is not kept."""
        verdict = self.judge(row)
        if not verdict.keep:
            raise FilteredError(verdict.reason, verdict.score)
        yield row
