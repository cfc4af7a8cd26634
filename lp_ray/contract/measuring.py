"""What a job measures on its finished videos: the settings `labels`, `labels_landmarks` and `metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from lp_ray.base.device import Device
from lp_ray.base.errors import RefusedError

Labels = Literal["none", "asked", "full"]
Metrics = Literal["none", "fast", "full"]

LABELS: tuple[str, ...] = get_args(Labels)
METRICS: tuple[str, ...] = get_args(Metrics)
"""Both in ascending order: a level holds all that the levels before it hold."""

LABELS_COLUMN, METRICS_COLUMN = "labels_level", "metrics_level"
"""Columns of the results that say what a pair has; null for none."""

ARCFACE_COLUMN = "identity_arcface_model"
"""Column of the results that says which model gave `identity_arcface`."""

SOURCE_FACE = "source_face"
"""Column of the results with the embedding of the source's face, by which splits know one person in several files."""


@dataclass(frozen=True)
class Measuring:
    """The settings. Raises RefusedError for an unknown value.

    They are in no key: if an output has pairs with less than a job asks for, the job makes these pairs again.
    """

    labels: Labels = field(
        default="none", metadata={"help": "one row of labels per pair; asked: the motion asked for; full: measured too"}
    )
    labels_landmarks: bool = field(
        default=True, metadata={"help": "with labels=full: the 478 landmarks of every frame, most of the bytes"}
    )
    metrics: Metrics = field(
        default="none", metadata={"help": "columns of the results that tell how good a video is (docs/metrics.md)"}
    )
    metrics_arcface: str = field(
        default="",
        metadata={"help": "weight store with buffalo_l's w600k_r50.onnx (non-commercial): adds identity_arcface"},
    )
    metrics_device: str = field(
        default="cpu", metadata={"help": "cpu or cuda: where faces are embedded; cuda shares GPUs with the engine"}
    )

    def __post_init__(self) -> None:
        for name, known in (("labels", LABELS), ("metrics", METRICS)):
            if getattr(self, name) not in known:
                raise RefusedError(f"{name}={getattr(self, name)!r} must be one of {', '.join(known)}")
        if not isinstance(self.labels_landmarks, bool):
            raise RefusedError(f"labels_landmarks={self.labels_landmarks!r} must be true or false")
        Device.parse(self.metrics_device, "metrics_device")
        for name in ("metrics_arcface", "metrics_device"):
            if self.metrics == "none" and getattr(self, name) != getattr(Measuring, name):
                raise RefusedError(f"{name}={getattr(self, name)!r} has no effect with metrics=none: set metrics=fast")

    @property
    def keeps_asked(self) -> bool:
        """Whether the motion asked for is kept until the pair is finished."""
        return self.labels != "none" or self.metrics != "none"

    @property
    def reads_videos(self) -> bool:
        """Whether finished videos are decoded and measured, which takes CPU time."""
        return self.labels == "full" or self.metrics != "none"

    @property
    def columns(self) -> dict[str, str | None]:
        """What the results row of a pair made with these settings says of them."""
        return {
            LABELS_COLUMN: None if self.labels == "none" else self.labels,
            METRICS_COLUMN: None if self.metrics == "none" else self.metrics,
        }


def measuring_names() -> tuple[str, ...]:
    """Return the names of the settings."""
    return tuple(each.name for each in fields(Measuring))


def make_measuring(values: Mapping[str, Any]) -> Measuring:
    """Build the settings from values by name; other names are ignored. Raises RefusedError."""
    return Measuring(**{name: values[name] for name in measuring_names() if name in values})


def at_least(level: str, levels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the levels that hold all that `level` holds, itself included."""
    return levels[levels.index(level) :]
