"""A source taken whole without being square is squeezed into the engine's crop: shapes are measured before that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data

from lp_ray import storage
from lp_ray.base.arrays import Image
from lp_ray.contract.options import PairOptions
from lp_ray.engine.liveportrait.engine import LivePortraitEngine, PreparedSource
from lp_ray.engine.liveportrait.weights.load import load_weights
from lp_ray.engine.protocol import CROP_SIZE, FRAME_SIZE, EngineIdentity, EngineSpec, Frames, SourceCrops, Span
from lp_ray.face.crop import aspect
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.points import eye_ratios, lip_ratio
from lp_ray.face.portrait import Portrait, crop_portrait
from lp_ray.face.select import select_face
from lp_ray.motion.template import MotionFrames, TemplateHeader, unpack_part, write_template
from lp_ray.output.layout import TemplateLayout
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRef, ClipRow
from lp_ray.runtime.worker import Worker
from lp_ray.stages.animate import AnimatePairs
from lp_ray.stages.contract import Bench
from lp_ray.stages.extract import ExtractMotion
from lp_ray.stages.rows import SourcedSpan, StagedMotion
from lp_ray.stages.track import TrackClips
from lp_ray.storage.uri import local_path
from tests.generated import Generated
from tests.stages.work import work

IDENTITY = EngineIdentity("seeded", "digest", needs_crops=True, source_size=CROP_SIZE)
WHOLE = SourceFraming(crop=False)
CLOSE = 1e-4
"""Ratios are float32; squeezed by a third they differ by 0.03 and more."""


class Recording(LivePortraitEngine):
    """Keeps what was prepared, and draws nothing."""

    def __init__(self) -> None:
        super().__init__(load_weights("seeded", "tiny", "human"))
        self.prepared: list[PreparedSource] = []

    def prepare(self, source: SourceCrops) -> PreparedSource:
        self.prepared.append(super().prepare(source))
        return self.prepared[-1]

    def direct(self, motion: Any, options: PairOptions) -> Any:
        return None

    def animate(self, source: Any, direction: Any, span: Span) -> Iterator[Frames]:
        for start, stop in span.chunks():
            yield Frames(np.zeros((stop - start, FRAME_SIZE, FRAME_SIZE, 3), np.uint8))


@pytest.fixture(scope="module")
def landmarker() -> MediaPipeLandmarker:
    return MediaPipeLandmarker()


@pytest.fixture(scope="module")
def engine() -> Recording:
    return Recording()


@pytest.fixture
def bench(tmp_path: Path, engine: Recording) -> Bench:
    root = storage.normalise(str(tmp_path))
    return Bench(Settings(root, root, EngineSpec("liveportrait")), IDENTITY, create=lambda spec: engine)


def _ratios(landmarker: MediaPipeLandmarker, image: Image) -> tuple[np.ndarray, np.ndarray]:
    """What the picture's own pixels say."""
    face = select_face(landmarker.detect(image), "large-small")
    return eye_ratios(face.points[None]), lip_ratio(face.points[None])


def _tall() -> Image:
    return np.ascontiguousarray(skimage.data.astronaut()[:, 60:400])


def _wide() -> Image:
    return np.ascontiguousarray(skimage.data.astronaut()[:300])


@pytest.mark.parametrize(("image", "shape"), [(_tall(), (512, 340)), (_wide(), (300, 512))], ids=["tall", "wide"])
def test_of_a_picture(
    bench: Bench, engine: Recording, landmarker: MediaPipeLandmarker, image: Image, shape: tuple[int, int]
) -> None:
    assert image.shape[:2] == shape
    portrait = crop_portrait(image, landmarker, "large-small", None, WHOLE, CROP_SIZE)
    motion = _prepared(bench, engine, portrait)
    eyes, lips = _ratios(landmarker, image)
    np.testing.assert_allclose(motion.motion.eye_ratio, eyes, atol=CLOSE)
    np.testing.assert_allclose(motion.motion.lip_ratio, lips, atol=CLOSE)
    assert np.abs(eye_ratios(portrait.points[None]) - eyes).max() > 0.03


def test_of_a_cropped_picture_nothing_changes(bench: Bench, engine: Recording, landmarker: MediaPipeLandmarker) -> None:
    """A turned square is no squeezed one: its ratios are those of the points in it, to the last bit."""
    portrait = crop_portrait(_tall(), landmarker, "large-small", None, SourceFraming(), CROP_SIZE)
    assert aspect(portrait.to_crop) == aspect(portrait.to_crop.astype(np.float32)) == 1
    motion = _prepared(bench, engine, portrait).motion
    np.testing.assert_array_equal(motion.eye_ratio, eye_ratios(portrait.points[None]))


def _prepared(bench: Bench, engine: Recording, portrait: Portrait) -> PreparedSource:
    file = Path(local_path(TemplateLayout(bench.settings.templates).template("t")) or "")
    write_template(file, TemplateHeader("liveportrait", "", "test", 25, 1, 6), [{"scale": np.ones((6, 1))}])
    placed = (each[None, None] for each in (portrait.crop, portrait.points, portrait.to_crop, np.True_))
    row = SourcedSpan(work(), 0, 6, None, *placed)
    assert all(made.trace.failure is None for made in Worker(AnimatePairs, bench).rows(row))
    return engine.prepared[-1]


def test_of_a_video(bench: Bench, landmarker: MediaPipeLandmarker, generated: Generated) -> None:
    """In its own motion, which smoothing and eye retargeting read, every frame has the ratios of its own pixels."""
    clip = ClipRow("s", ClipRef(str(generated.film), "large-small"), None, WHOLE)
    parts: list[MotionFrames] = []
    for chunk in Worker(TrackClips, bench).rows(clip):
        for staged in Worker(ExtractMotion, bench).rows(chunk):
            assert isinstance(staged, StagedMotion) and staged.trace.failure is None
            part = bench.settings.template_layout.part("s", staged.index)
            parts.append(unpack_part(Path(local_path(part) or "").read_bytes()))
    measured = np.concatenate([part["eye_ratio"] for part in parts])
    capture = cv2.VideoCapture(str(generated.film))
    for ratio in measured[:5]:
        frame = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        assert frame.shape[0] != frame.shape[1]
        assert ratio == pytest.approx(_ratios(landmarker, frame)[0][0], abs=0.01)
    squeezed = eye_ratios(np.concatenate([part["crop_points"] for part in parts]).astype(np.float64))
    assert np.abs(squeezed[:5] - measured[:5]).max() > 0.03
