"""Why a piece of work could not be done, as rows and results say it."""

from __future__ import annotations

from dataclasses import dataclass

from lp_ray import storage


@dataclass(frozen=True)
class Failure:
    """Why a pair or a template could not be made."""

    stage: str
    error_class: str
    error: str

    @classmethod
    def of(cls, stage: str, error: BaseException) -> Failure:
        return cls(stage, type(error).__name__, storage.redact(str(error) or repr(error)))
