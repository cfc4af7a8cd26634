"""Stages that a job adds by name: filters, or what another package brings. Each stands behind the stage it names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from lp_ray.base.errors import RefusedError
from lp_ray.base.registry import Registry
from lp_ray.plan.settings import StageSpec
from lp_ray.stages.contract import Stage

StageType = type[Stage[Any, Any]]


class AddedStage(Stage[Any, Any]):
    """What a stage that is added declares besides: it takes the rows that `after` gives, and gives such rows.

    Its parameters, which the job's setting `stages` holds under its name, are in `bench.settings.parameters(name)`.
    """

    after: ClassVar[str]
    """Name of the stage that it follows."""


STAGES: Registry[StageType] = Registry("stages", "lp_ray.stages", {})
"""Stages that may be added, by name."""


def place_added(graph: str, stages: tuple[StageType, ...], added: Sequence[StageSpec]) -> tuple[StageType, ...]:
    """Return the stages of a graph with those added that follow one of them, in the order they are listed.

    Raises RefusedError for a stage that is not known.
    """
    placed = list(stages)
    for spec in added:
        kind = STAGES.get(spec.name)
        if kind.name != spec.name:
            raise RefusedError(f"stages={spec.name!r}: the stage calls itself {kind.name!r}; give it one name")
        after = getattr(kind, "after", "")
        names = [stage.name for stage in placed]
        if after in names:
            at = names.index(after) + 1
            while at < len(placed) and getattr(placed[at], "after", "") == after:
                at += 1
            placed.insert(at, kind)
    return tuple(placed)
