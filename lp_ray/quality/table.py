"""The table of all metrics, each declared once: name, unit, range, which way is better, meaning, and source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Level = Literal["fast", "full"]
Better = Literal["higher", "lower", "near 0", "near 1", "no"]

LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True)
class Metric:
    """One column of the results.

    `low` and `high` limit its values (None: no limit). `better` says which direction is good, or "no" if the metric
    only describes. `level` is the lowest level that measures it.
    """

    name: str
    unit: str
    low: float | None
    high: float | None
    better: Better
    level: Level
    definition: str
    source: str

    @property
    def range(self) -> str:
        """The bounds as text, "0 to 1"."""
        low, high = (("" if bound is None else f"{bound:g}") for bound in (self.low, self.high))
        return f"{low or 'any'} to {high or 'any'}" if low or high else "any"


_DLIB = "dlib's face recognition network (docs/faces.md)"
_POINTS = "the carried landmarker's points"

METRICS: tuple[Metric, ...] = (
    Metric(
        "identity_mean", "cosine", -1, 1, "higher", "fast", "mean over frames, embedding against the source's", _DLIB
    ),
    Metric("identity_worst", "cosine", -1, 1, "higher", "fast", "the same of the worst frame", _DLIB),
    Metric("identity_l2_mean", "L2", 0, None, "lower", "fast", "mean distance; one person below 0.6", _DLIB),
    Metric("identity_l2_worst", "L2", 0, None, "lower", "fast", "the same of the worst frame", _DLIB),
    Metric(
        "identity_arcface",
        "cosine",
        -1,
        1,
        "higher",
        "fast",
        "mean over the same frames, by ArcFace (CSIM); null without its model",
        "insightface's w600k_r50, of the user's weight store",
    ),
    Metric(
        "pose_error", "degrees", 0, 180, "lower", "fast", "mean angle between the pose asked for and measured", _POINTS
    ),
    Metric(
        "expression_error",
        "coefficient",
        0,
        1,
        "lower",
        "full",
        "mean difference of 51 blendshapes asked for and measured",
        "MediaPipe's blendshapes",
    ),
    Metric(
        "lip_correlation",
        "correlation",
        -1,
        1,
        "higher",
        "fast",
        "lips' ratio against the driving's, at the lag where it is highest",
        "Pearson; lags up to 0.4 s",
    ),
    Metric("lip_lag", "seconds", -0.4, 0.4, "near 0", "fast", "that lag; positive: the result is late", "the same"),
    Metric(
        "lip_loudness",
        "correlation",
        -1,
        1,
        "higher",
        "fast",
        "lips' ratio against the loudness of the sound, frame by frame",
        "Pearson",
    ),
    Metric(
        "eye_correlation",
        "correlation",
        -1,
        1,
        "higher",
        "fast",
        "eyes' ratio (mean of both) against the driving's, frame by frame",
        "Pearson",
    ),
    Metric(
        "jitter",
        "1/1000 of the face",
        None,
        None,
        "lower",
        "fast",
        "mean second difference of 33 rigid points over the face's size, minus the driving's",
        _POINTS,
    ),
    Metric("jitter_own", "1/1000 of the face", 0, None, "lower", "fast", "the same without the driving's", _POINTS),
    Metric(
        "frozen_share",
        "share",
        0,
        1,
        "lower",
        "fast",
        "frames that repeat the one before where the driving's, or a template's values, do not",
        "mean change of the face below 0.2 grey levels",
    ),
    Metric("frozen_longest", "seconds", 0, None, "lower", "fast", "longest stretch of such frames", "the same"),
    Metric(
        "flicker", "grey levels", 0, None, "lower", "fast", "mean second difference of the face's luminance", "luma"
    ),
    Metric(
        "sharpness_ratio",
        "ratio",
        0,
        None,
        "near 1",
        "fast",
        "mean of the face's sharpness over the source's, both at 256 pixels",
        "spread of the Laplacian over that of luma",
    ),
    Metric(
        "luminance", "grey levels", 0, 255, "no", "fast", "mean of the face (SpeakerVid-5M keeps 10 to 210)", "luma"
    ),
    Metric(
        "clipped_share",
        "share",
        0,
        1,
        "lower",
        "fast",
        "pixels of the face that are black or white (luma <= 2, >= 253)",
        "luma",
    ),
    Metric(
        "face_fraction",
        "share",
        0,
        1,
        "no",
        "fast",
        "face's box over the picture (TalkVid keeps 0.017 and more)",
        _POINTS,
    ),
    Metric("lost_share", "share", 0, 1, "lower", "fast", "frames in which no face is found", _POINTS),
    Metric(
        "angle_worst",
        "degrees",
        0,
        180,
        "no",
        "fast",
        "largest of yaw, pitch and roll, either way",
        "head pose (docs/faces.md)",
    ),
    Metric(
        "extreme_share",
        "share",
        0,
        1,
        "lower",
        "fast",
        "frames with yaw over 40, pitch over 30 or roll over 30 degrees",
        "head pose",
    ),
    Metric(
        "faces_mean",
        "faces",
        0,
        None,
        "near 1",
        "full",
        "mean number of faces in the frames looked at",
        "the landmarker's detector",
    ),
    Metric(
        "one_face_share",
        "share",
        0,
        1,
        "higher",
        "full",
        "frames looked at with exactly one face",
        "the same (SpeakerVid-5M keeps 0.8)",
    ),
    Metric(
        "seam",
        "grey levels",
        0,
        None,
        "lower",
        "full",
        "mean change of the step of luma across the rim of the paste-back, by parts of the rim, against the source's",
        "luma",
    ),
    Metric(
        "psnr",
        "dB",
        0,
        100,
        "higher",
        "full",
        "self-reenactment (one file, one face, at one time): mean over frames against the driving's frame",
        "RGB",
    ),
    Metric("ssim", "index", -1, 1, "higher", "full", "the same, structural similarity", "Wang et al. 2004, on luma"),
)

NAMES = tuple(metric.name for metric in METRICS)


def names(level: Level) -> tuple[str, ...]:
    """Return the names of the metrics of a level, in the table's order. "full" has all of them."""
    return tuple(metric.name for metric in METRICS if level == "full" or metric.level == "fast")


def markdown() -> str:
    """Return the table of metrics for docs/metrics.md."""
    lines = ["| metric | unit | range | better | level | what it is | made of |", "|---|---|---|---|---|---|---|"]
    for metric in METRICS:
        cells = (metric.unit, metric.range, metric.better, metric.level, metric.definition, metric.source)
        lines.append(f"| `{metric.name}` | {' | '.join(cells)} |")
    return "\n".join(lines)
