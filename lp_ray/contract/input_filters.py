"""Filters before work: thresholds on sources and drivings, declared once. A job sets them as `filter.source.…=`.

A pair whose source or driving falls short is a `filtered` row with the reason and the score, and is not animated. What
cannot be measured of an input never leaves it out. The thresholds are in no key: what is done stays done, and a pair
that was left out is judged again by `retry=filtered`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lp_ray.base.errors import RefusedError

Role = Literal["source", "driving"]
STAGES: dict[Role, str] = {"source": "filter_source", "driving": "filter_driving"}
"""Whose input is judged -> the name of the stage that judges it."""


@dataclass(frozen=True)
class Threshold:
    """One threshold: the bound that `measure` of a source or driving must keep.

    `bound` "least": not under it; "most": not over it. `needs_mesh` says that it is measured on MediaPipe's 478 points,
    `of_people` that animals have no such measure. `looks` says that the file itself is read for it, once more.
    """

    role: Role
    bound: Literal["least", "most"]
    measure: str
    unit: str
    text: str
    needs_mesh: bool = False
    of_people: bool = False
    looks: bool = False

    @property
    def name(self) -> str:
        """Its name as a setting of the role's group."""
        return f"{self.bound}_{self.measure}"

    def keeps(self, value: float, limit: float) -> bool:
        """Whether a value keeps the bound; one that is not known does."""
        return not math.isfinite(value) or (value >= limit if self.bound == "least" else value <= limit)


_FACES = "most faces at once: in the picture, or in five frames of a video"
_CUTS = "changes of scene in a video; a picture has none"

THRESHOLDS: tuple[Threshold, ...] = (
    Threshold("source", "least", "face_fraction", "share", "the face's box over the picture (TalkVid keeps 0.017)"),
    Threshold("source", "least", "face_pixels", "pixels", "longer side of the face's box"),
    Threshold("source", "most", "yaw", "degrees", "turn of the head to a side, either way", True),
    Threshold("source", "most", "pitch", "degrees", "nod of the head, either way", True),
    Threshold("source", "most", "roll", "degrees", "lean of the head, either way", True),
    Threshold("source", "least", "sharpness", "ratio", "spread of the face's Laplacian over that of its luma"),
    Threshold("source", "least", "luminance", "grey levels", "mean luma of the face (SpeakerVid-5M keeps 10 to 210)"),
    Threshold("source", "most", "luminance", "grey levels", "the same"),
    Threshold("source", "most", "faces", "count", _FACES, of_people=True, looks=True),
    Threshold("source", "most", "cuts", "count", _CUTS, looks=True),
    Threshold("driving", "least", "seconds", "seconds", "its length, after the cut"),
    Threshold("driving", "most", "seconds", "seconds", "the same"),
    Threshold("driving", "most", "yaw", "degrees", "largest turn away from the camera, either way"),
    Threshold("driving", "most", "pitch", "degrees", "largest nod, either way"),
    Threshold("driving", "most", "roll", "degrees", "largest lean, either way"),
    Threshold("driving", "least", "motion", "degrees", "how far the head turns from its mean pose: root mean square"),
    Threshold("driving", "most", "lost", "share", "frames without a face"),
    Threshold("driving", "most", "faces", "count", _FACES, of_people=True, looks=True),
    Threshold("driving", "most", "cuts", "count", _CUTS, looks=True),
)

BY_STAGE: dict[str, dict[str, Threshold]] = {
    stage: {each.name: each for each in THRESHOLDS if each.role == role} for role, stage in STAGES.items()
}


def make_thresholds(given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the thresholds that are set, by stage, from loose values by role and name.

    Raises RefusedError for a value that is not a number.
    """
    made: dict[str, dict[str, float]] = {}
    for role, stage in STAGES.items():
        for name, value in given.get(role, {}).items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise RefusedError(f"filter.{role}.{name}={value!r} must be a number")
            made.setdefault(stage, {})[name] = float(value)
    return made


def reason(stage: str, scores: Mapping[str, float], limits: Mapping[str, float]) -> tuple[str, float] | None:
    """Return why an input with these scores is left out, and the score; None if it keeps all limits."""
    for name, limit in limits.items():
        threshold = BY_STAGE[stage][name]
        value = scores.get(threshold.measure, math.nan)
        if not threshold.keeps(value, limit):
            side = "under" if threshold.bound == "least" else "over"
            unit = "" if threshold.unit in ("share", "ratio", "count") else f" {threshold.unit}"
            text = f"filter.{threshold.role}.{name}: {threshold.measure} {value:.3g}{unit} is {side} {limit:g}"
            return text, value
    return None


def markdown() -> str:
    """Return the table of thresholds for docs/datasets.md."""
    lines = ["| setting | unit | what is measured |", "|---|---|---|"]
    for each in THRESHOLDS:
        only = "; people, detector=mediapipe" if each.needs_mesh else "; people" if each.of_people else ""
        lines.append(f"| `filter.{each.role}.{each.name}` | {each.unit} | {each.text}{only} |")
    return "\n".join(lines)
