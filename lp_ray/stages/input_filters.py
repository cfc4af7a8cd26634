"""Stages `filter_source` and `filter_driving` (CPU): leave out inputs that cannot give good results."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from lp_ray import storage
from lp_ray.contract import input_filters
from lp_ray.contract.media_kinds import is_template
from lp_ray.engine.protocol import FRAME_SIZE
from lp_ray.face.crop import invert, transform_points
from lp_ray.media.clip import open_footage
from lp_ray.plan.framing import source_framing
from lp_ray.quality.inputs import count_cuts, driving_scores, most_faces, source_scores
from lp_ray.stages.contract import Bench, Share
from lp_ray.stages.filter import Filter, Verdict
from lp_ray.stages.media import TemplateCache
from lp_ray.stages.rows import SourcedSpan

KEPT = 4096
"""Inputs whose scores an actor remembers."""


class _Looks:
    """Reads inputs once more, for what neither a crop nor a template tells: number of faces, changes of scene."""

    def __init__(self, bench: Bench, stage: str) -> None:
        known = input_filters.BY_STAGE[stage]
        self._wanted = {known[name].measure for name in _limits(bench, stage) if known[name].looks}
        self._limits = bench.settings.limits
        self._landmarker = bench.create_landmarker(bench.settings.landmarker) if "faces" in self._wanted else None
        self._scores = lru_cache(KEPT)(self._look)

    def scores(
        self, uri: str, version: str, start_s: float | None = None, end_s: float | None = None
    ) -> dict[str, float]:
        """Return the measures of a file that are asked for; empty for a motion template. Raises InputError."""
        return self._scores(uri, version, start_s, end_s) if self._wanted and not is_template(uri) else {}

    def _look(self, uri: str, version: str, start_s: float | None, end_s: float | None) -> dict[str, float]:
        scores: dict[str, float] = {}
        with storage.local_copy(uri, self._limits, version) as path:
            footage = open_footage(path, self._limits, start_s, end_s)
            if self._landmarker is not None:
                scores["faces"] = most_faces(footage, self._landmarker)
            if "cuts" in self._wanted:
                scores["cuts"] = count_cuts(footage)
        return scores


class FilterSource(Filter[SourcedSpan]):
    """Judges the faces of a source, each row of them: of a picture all at once, of a video chunk by chunk."""

    name = input_filters.STAGES["source"]
    after = "source"
    takes = gives = SourcedSpan
    share = Share(on_cpu=0.05, beside_gpus=0.1)
    sheltered = True

    def __init__(self, bench: Bench) -> None:
        self._limits = _limits(bench, self.name)
        self._looks = _Looks(bench, self.name)

    @classmethod
    def input_of(cls, row: SourcedSpan) -> str:
        return row.work.source.key

    def judge(self, row: SourcedSpan) -> Verdict:
        source = row.work.source
        looked = self._looks.scores(source.uri, source.version)
        return _verdict(self.name, [*self._scores(row), looked], self._limits)

    def _scores(self, row: SourcedSpan) -> Iterable[dict[str, float]]:
        facts = row.facts
        if facts is None:
            return
        # Matrices refer to the picture in the size in which the pair uses it.
        *_, width, height = source_framing(row.work.options).limit_box(
            (0, 0, facts.width, facts.height), facts.width, facts.height
        )
        every = (array[row.present] for array in (row.crops, row.points, row.to_crop))
        for crop, points, to_crop in zip(*every, strict=True):
            in_picture = transform_points(points, invert(to_crop)) if len(points) else points
            in_crop = points * (crop.shape[0] / FRAME_SIZE)
            yield source_scores(np.asarray(crop), in_crop, in_picture, round(width), round(height))


class FilterDriving(Filter[SourcedSpan]):
    """Judges the driving of a pair by its motion template."""

    name = input_filters.STAGES["driving"]
    after = "source"
    takes = gives = SourcedSpan
    share = Share(on_cpu=0.05, beside_gpus=0.1)
    sheltered = True

    def __init__(self, bench: Bench) -> None:
        self._limits = _limits(bench, self.name)
        self._templates = TemplateCache(bench.settings.templates)
        self._scores = lru_cache(KEPT)(lambda key: driving_scores(self._templates.get(key)))
        self._looks = _Looks(bench, self.name)

    @classmethod
    def input_of(cls, row: SourcedSpan) -> str:
        return row.work.template_key

    def judge(self, row: SourcedSpan) -> Verdict:
        scores = []
        for driving, key in zip(row.work.drivings, row.work.template_keys, strict=True):
            looked = self._looks.scores(driving.uri, driving.version, driving.start_s, driving.end_s)
            scores += [self._scores(key), looked]
        return _verdict(self.name, scores, self._limits)


def _limits(bench: Bench, stage: str) -> dict[str, float]:
    return {name: float(str(value)) for name, value in bench.settings.parameters(stage).items()}


def _verdict(stage: str, scores: Iterable[dict[str, float]], limits: dict[str, float]) -> Verdict:
    for each in scores:
        found = input_filters.reason(stage, each, limits)
        if found is not None:
            return Verdict(False, found[1], found[0])
    return Verdict(True)
