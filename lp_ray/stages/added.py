"""Stages that a job adds by name: filters, or stages from other packages. Each names the stage that it follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from lp_ray.base.errors import RefusedError
from lp_ray.base.registry import Registry
from lp_ray.plan.settings import StageSpec
from lp_ray.stages.contract import Stage

StageType = type[Stage[Any, Any]]


class AddedStage(Stage[Any, Any]):
    """Base class of an added stage. It takes the rows that stage `after` gives, and gives rows of the same type.

    The job's setting `stages` holds its parameters under its name; read them from `bench.settings.parameters(name)`.
    """

    after: ClassVar[str]
    """Name of the stage that it follows."""


STAGES: Registry[StageType] = Registry(
    "stages",
    "lp_ray.stages",
    {
        "filter_source": "lp_ray.stages.input_filters:FilterSource",
        "filter_driving": "lp_ray.stages.input_filters:FilterDriving",
    },
)
"""The stages that a job may add, by name."""


def place_added(graph: str, stages: tuple[StageType, ...], added: Sequence[StageSpec]) -> tuple[StageType, ...]:
    """Return the stages of a graph, with each added stage after the stage that it names, in the order of `added`.

    Raises RefusedError for an unknown stage.
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
