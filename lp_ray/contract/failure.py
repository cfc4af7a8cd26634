"""Why a piece of work could not be done, as rows and results state it. Errors cross processes in this form."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from lp_ray import storage
from lp_ray.base.errors import FilteredError, InputError, LpRayError
from lp_ray.contract.result_schema import FAILED, FILTERED

STOPPED = "stopped"
"""As a failure's status: the failure stops the job, because all other work would fail as well."""


@dataclass(frozen=True)
class Failure:
    """How a piece of work ended early.

    `status` is the status that it gives to its pair (failed or filtered), or `stopped`. `traceback`, without secrets,
    is set for an error that the package does not raise on purpose. `score` is set by a filter.
    """

    stage: str
    error_class: str
    error: str
    status: str = FAILED
    traceback: str = ""
    score: float | None = None

    @property
    def is_unexpected(self) -> bool:
        """Whether a bug of this package or a broken machine caused it, not an input."""
        return bool(self.traceback)

    @classmethod
    def of(cls, stage: str, error: BaseException) -> Failure:
        """Return the failure that an error means for the piece of work that met it."""
        named = cls(stage, type(error).__name__, storage.redact(str(error) or repr(error)))
        if isinstance(error, FilteredError):
            return cls(stage, "", named.error, FILTERED, score=error.score)
        if isinstance(error, InputError):
            return named
        if isinstance(error, LpRayError):
            return cls(stage, named.error_class, named.error, STOPPED)
        trace = storage.redact("".join(traceback.format_exception(error)))
        return cls(stage, named.error_class, named.error, traceback=trace)
