"""Stages `filter_source` and `filter_driving` (CPU): leave out inputs that cannot give good results."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from lp_ray.contract import input_filters
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.crop import invert, transform_points
from lp_ray.plan.framing import source_framing
from lp_ray.quality.inputs import driving_scores, source_scores
from lp_ray.stages.contract import Bench, Share
from lp_ray.stages.filter import Filter, Verdict
from lp_ray.stages.media import TemplateCache
from lp_ray.stages.rows import SourcedSpan

KEPT = 4096
"""Inputs whose scores an actor remembers."""


class FilterSource(Filter[SourcedSpan]):
    """Judges the faces of a source, each row of them: of a picture all at once, of a video chunk by chunk."""

    name = input_filters.STAGES["source"]
    after = "source"
    takes = gives = SourcedSpan
    share = Share(on_cpu=0.05, beside_gpus=0.1)

    def __init__(self, bench: Bench) -> None:
        self._limits = _limits(bench, self.name)

    def judge(self, row: SourcedSpan) -> Verdict:
        return _verdict(self.name, self._scores(row), self._limits)

    def _scores(self, row: SourcedSpan) -> Iterable[dict[str, float]]:
        facts = row.facts
        if facts is None:
            return
        # Matrices refer to the picture in the size in which the pair uses it.
        *_, width, height = source_framing(row.work.options).limit_box(
            (0, 0, facts.width, facts.height), facts.width, facts.height
        )
        for crop, points, to_crop in zip(row.crops, row.points, row.to_crop, strict=True):
            in_picture = transform_points(points, invert(to_crop)) if len(points) else points
            in_crop = points * (crop.shape[0] / FRAME_SIZE)
            yield source_scores(np.asarray(crop), in_crop, in_picture, round(width), round(height))


class FilterDriving(Filter[SourcedSpan]):
    """Judges the driving of a pair by its motion template."""

    name = input_filters.STAGES["driving"]
    after = "source"
    takes = gives = SourcedSpan
    share = Share(on_cpu=0.05, beside_gpus=0.1)

    def __init__(self, bench: Bench) -> None:
        self._limits = _limits(bench, self.name)
        self._templates = TemplateCache(bench.settings.templates)
        self._scores = lru_cache(KEPT)(lambda key: driving_scores(self._templates.get(key)))

    def judge(self, row: SourcedSpan) -> Verdict:
        return _verdict(self.name, [self._scores(row.work.template_key)], self._limits)


def _limits(bench: Bench, stage: str) -> dict[str, float]:
    return {name: float(str(value)) for name, value in bench.settings.parameters(stage).items()}


def _verdict(stage: str, scores: Iterable[dict[str, float]], limits: dict[str, float]) -> Verdict:
    for each in scores:
        found = input_filters.reason(stage, each, limits)
        if found is not None:
            return Verdict(False, found[1], found[0])
    return Verdict(True)
