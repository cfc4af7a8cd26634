"""Measure one finished video: decode it again, follow the face in it, and write labels and metrics."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.errors import EngineOutputError
from lp_ray.base.version import __version__
from lp_ray.contract.formats import FORMATS
from lp_ray.contract.measuring import ARCFACE_COLUMN, SOURCE_FACE
from lp_ray.face.follow import FaceTracker
from lp_ray.face.identity.network import DIGEST as IDENTITY_DIGEST
from lp_ray.face.insightface.files import arcface_name
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.labels.file import Labels, write_labels
from lp_ray.labels.frames import frame_labels
from lp_ray.labels.spool import Spool
from lp_ray.labels.table import BY_NAME
from lp_ray.media.facts import MediaFacts
from lp_ray.models.store import WeightStore
from lp_ray.motion.rates import resample
from lp_ray.output.layout import OutputLayout
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork
from lp_ray.quality.identity import frames_to_embed
from lp_ray.quality.pair import Measured, PairMeter
from lp_ray.quality.table import NAMES as METRIC_NAMES
from lp_ray.quality.table import Level
from lp_ray.stages.measuring.asked import Asked
from lp_ray.stages.measuring.expected import ExpectedRows
from lp_ray.stages.measuring.models import models_for
from lp_ray.stages.measuring.source import source_view

AT_ONCE = 8
"""Frames measured at a time: what memory holds of a video."""

LOOKS = 4
"""In so many frames, spread over the video, metrics=full searches for all faces."""

Rows = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Finished:
    """A finished file on the local disk, its facts, and a folder for temporary files beside it."""

    path: Path
    facts: MediaFacts
    folder: Path


def measure_pair(settings: Settings, layout: OutputLayout, work: PairWork, made: Finished) -> dict[str, Any]:
    """Return the columns of a pair's results row that measuring adds. Labels, if wanted, are written to `labels_file`.

    Raises InputError if the source or the driving cannot be read any more, EngineOutputError if the video holds another
    number of frames than it should.
    """
    measuring = settings.measuring
    if not measuring.keeps_asked:
        return {}
    asked, n = Asked(layout, work), made.facts.n_frames
    frames = _pair_frames(work, made.facts)
    spool_folder = made.folder / "labels"
    spool_folder.mkdir()
    spool, metrics, face = Spool(spool_folder), {}, None
    with ExitStack() as stack:
        expected = stack.enter_context(closing(ExpectedRows(settings, work, asked, made)))
        if measuring.reads_videos:
            reading = _Reading(settings, work, made, asked, expected, spool)
            metrics, face = reading.run(frames), reading.source_face
        else:
            for start in range(0, n, work.chunk):
                spool.add(_stored(expected.columns(frames[start : start + work.chunk])))
    row: dict[str, Any] = dict(measuring.columns)
    if measuring.metrics != "none":
        row |= {name: metrics.get(name) for name in METRIC_NAMES}
        row[SOURCE_FACE] = None if face is None else face.tolist()
        if settings.metrics_arcface:
            row[ARCFACE_COLUMN] = arcface_name(WeightStore(settings.metrics_arcface))
    if measuring.labels != "none":
        facts = made.facts
        about = {"level": measuring.labels, **_made_by(settings)}
        size = facts.width, facts.height
        arrays = spool.arrays()
        write_labels(
            labels_file(made.folder),
            Labels(work.pair_id, n, facts.fps, *size, asked.face, asked.n_faces, about, arrays),
        )
    return row


def labels_file(folder: Path) -> Path:
    """Return where `measure_pair` writes labels."""
    return folder / "labels.parquet"


def _made_by(settings: Settings) -> dict[str, str]:
    return {
        "lp_ray_version": __version__,
        "engine": settings.engine.name,
        "landmarker": MediaPipeLandmarker.digest,
        "identity": IDENTITY_DIGEST,
    }


def _pair_frames(work: PairWork, facts: MediaFacts) -> NDArray[np.intp]:
    """Return the frame of the pair that each frame of the file shows; a GIF above 50 frames a second has fewer."""
    if facts.n_frames == work.n_frames or facts.fps is None:
        return np.arange(facts.n_frames)
    shown = resample(work.n_frames, work.fps, facts.fps)
    return shown[np.minimum(np.arange(facts.n_frames), len(shown) - 1)]


def _stored(rows: Rows) -> Rows:
    """Return rows in the types of the table."""
    return {name: rows[name].astype(BY_NAME[name].numpy if name in BY_NAME else rows[name].dtype) for name in rows}


class _Reading:
    """One pass over a finished video."""

    def __init__(
        self,
        settings: Settings,
        work: PairWork,
        made: Finished,
        asked: Asked,
        expected: ExpectedRows,
        spool: Spool,
    ) -> None:
        self._measuring, self._work, self._made = settings.measuring, work, made
        self._expected, self._spool, self._models = expected, spool, models_for(settings)
        self._source = source_view(settings, work, asked.to_crop(np.zeros(1, np.intp))[0], self._models)
        level: Level = "fast" if self._measuring.metrics == "fast" else "full"
        measures = self._measuring.metrics != "none"
        n = made.facts.n_frames
        self._embedded = set(frames_to_embed(n, level).tolist()) if measures else set()
        self._looked = set(np.linspace(0, n - 1, min(n, LOOKS)).round().astype(int).tolist())
        self._looked = self._looked if self._measuring.metrics == "full" else set()
        self._shapes = self._measuring.labels == "full" or self._measuring.metrics == "full"
        fps = made.facts.fps or work.fps
        points = self._source.points
        seen = None if points is None else (self._source.image, points)
        self._meter = PairMeter(level, fps, self._source.embedding, seen, self._source.arcface) if measures else None

    def run(self, frames: NDArray[np.intp]) -> dict[str, float | None]:
        """Measure the whole video; return its metrics. `frames` are the pair's frames that it shows."""
        tracker = FaceTracker(self._models.landmarker, "large-small", self._box())
        first = 0
        with closing(_pictures(self._work, self._made)) as pictures:
            while piece := list(islice(pictures, AT_ONCE)):
                points = np.full((len(piece), self._models.landmarker.n_points, 3), np.nan)
                for row, picture in zip(points, piece, strict=True):
                    if (face := tracker.find(picture)) is not None:
                        row[:] = face.points
                self._add(piece, points, first, frames[first : first + len(piece)])
                first += len(piece)
        if first != len(frames):
            raise EngineOutputError(f"the finished file shows {first} frames, not {len(frames)}")
        return {} if self._meter is None else self._meter.row()

    @property
    def source_face(self) -> NDArray[np.float32] | None:
        """The embedding, 128, of the source's face; None if none is found."""
        return self._source.embedding

    def _box(self) -> tuple[float, float, float, float] | None:
        """Return where the labelled face is in the source: with several people, this is the one to follow."""
        points = self._source.points
        if points is None:
            return None
        low, high = points[:, :2].min(0), points[:, :2].max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def _add(self, piece: list[Image], points: NDArray[np.float64], first: int, shown: NDArray[np.intp]) -> None:
        frames = np.stack(piece)
        shapes = self._models.blendshapes_of(points) if self._shapes else None
        if self._meter is not None:
            numbers = range(first, first + len(piece))
            found = np.asarray(np.isfinite(points).all((1, 2)))
            chosen = [i for i, number in enumerate(numbers) if number in self._embedded and found[i]]
            looked = [piece[i] for i, number in enumerate(numbers) if number in self._looked]
            shown_faces = [piece[i] for i in chosen]
            embeddings = self._models.embed(shown_faces, points[chosen]) if chosen else None
            arcface = self._models.embed_arcface(shown_faces, points[chosen]) if chosen else None
            faces = np.array([len(self._models.landmarker.detect(picture)) for picture in looked]) if looked else None
            expected = self._expected.take(first, shown, self._source)
            self._meter.add(Measured(frames, points, embeddings, shapes, faces, arcface), expected)
        if self._measuring.labels == "full" and shapes is not None:
            rows = frame_labels(frames, points, shapes, self._measuring.labels_landmarks)
            self._spool.add(_stored(rows | self._expected.columns(shown) | self._expected.poses(shown, self._source)))
        elif self._measuring.labels == "asked":
            self._spool.add(_stored(self._expected.columns(shown)))


def _pictures(work: PairWork, made: Finished) -> Generator[Image, None, None]:
    pictures = FORMATS.get(work.format).pictures(made.path)
    try:
        yield from pictures
    finally:
        getattr(pictures, "close", lambda: None)()
