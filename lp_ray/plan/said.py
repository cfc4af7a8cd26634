"""What people decided of pairs, and what that means for a job that makes pairs again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lp_ray.output.results import Settled


@dataclass(frozen=True)
class Said:
    """Which of n pairs somebody keeps, and which they reject: n booleans each, never both."""

    kept: NDArray[np.bool_]
    rejected: NDArray[np.bool_]

    def of(self, left: NDArray[np.bool_], found: Settled) -> tuple[NDArray[np.bool_], Decided]:
        """Return which pairs are to be made if `left` would be without decisions, and the counts.

        A kept pair that failed or was filtered is made again, a rejected one is left as it is. What is done stays: made
        again of the same inputs it would be the same.
        """
        ended = found.failed | found.filtered
        counts = Decided(
            again=int((self.kept & ended).sum()),
            left=int((self.rejected & ended).sum()),
            done=int(((self.kept | self.rejected) & found.done).sum()),
        )
        return (left | (self.kept & ended)) & ~(self.rejected & ended), counts


@dataclass(frozen=True)
class Decided:
    """How many decided pairs are made again, how many are left as they ended, and how many are done."""

    again: int
    left: int
    done: int
