"""Transparency that moves with the pixels: compared with the same face before a white and a black wall."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lp_ray.contract.options import PairOptions
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.protocol import FRAME_SIZE, Frames, PairMotion, SourceCrops, Span
from lp_ray.media.alpha import joined, on_white
from lp_ray.motion.template import MotionFrames, TemplateReader

N = 12


@pytest.fixture
def cut_out(astronaut: SourceCrops) -> SourceCrops:
    """The astronaut's head with a soft edge, near enough to the face to move with it."""
    fade = np.zeros((FRAME_SIZE, FRAME_SIZE), np.uint8)
    middle = astronaut.points[0, :, :2].mean(0)
    size = 0.75 * np.ptp(astronaut.points[0, :, :2], axis=0)
    cv2.ellipse(fade, (tuple(middle), tuple(2 * size), 0.0), 255, -1)
    fade = np.asarray(cv2.GaussianBlur(fade, (0, 0), 4), np.uint8)
    white = on_white(joined(astronaut.images[0], fade))[..., :3]
    return replace(astronaut, images=white[None], alpha=fade[None])


@pytest.fixture
def driving(motion: MotionFrames, make_template: Callable[[MotionFrames], TemplateReader]) -> TemplateReader:
    return make_template(motion)


def made(
    engine: PreviewEngine, crops: SourceCrops, driving: TemplateReader, span: Span, **options: float
) -> list[Frames]:
    direction = engine.direct(PairMotion(driving, np.arange(span.stop)), PairOptions(**options))  # type: ignore[arg-type]
    return list(engine.animate(engine.prepare(crops), direction, span))


def alpha_of(frames: list[Frames]) -> NDArray[np.uint8]:
    return np.concatenate([np.asarray(piece.alpha) for piece in frames])


def test_it_moves_as_the_pixels_do(engine: PreviewEngine, cut_out: SourceCrops, driving: TemplateReader) -> None:
    """Before white a pixel is brighter than before black by what it lets through: that is what is said of it."""
    assert cut_out.alpha is not None
    through = 255 - cut_out.alpha[..., None].astype(int)
    black = replace(cut_out, images=np.clip(cut_out.images - through, 0, 255).astype(np.uint8), alpha=None)
    span = Span(0, len(driving), 4)
    white = made(engine, cut_out, driving, span, driving_multiplier=1.5)
    dark = made(engine, black, driving, span, driving_multiplier=1.5)
    told = alpha_of(white).astype(int)
    seen = 255 - np.concatenate([a.images.astype(int) - b.images for a, b in zip(white, dark, strict=True)]).max(-1)
    assert np.percentile(np.abs(told - seen), 99.9) <= 3, "cubic sampling overshoots, and is cut off, at few places"
    assert (np.abs(told - cut_out.alpha[0]) > 60).sum(axis=(1, 2)).max() > 200, "it does move"


def test_pictures_are_those_without_it_and_a_still_face_keeps_it(
    engine: PreviewEngine, cut_out: SourceCrops, driving: TemplateReader
) -> None:
    span = Span(0, len(driving), 32)
    (kept,) = made(engine, cut_out, driving, span)
    (plain,) = made(engine, replace(cut_out, alpha=None), driving, span)
    assert plain.alpha is None
    np.testing.assert_array_equal(kept.images, plain.images)
    (still,) = made(engine, cut_out, driving, span, driving_multiplier=0.0)
    assert cut_out.alpha is not None
    assert np.abs(alpha_of([still]).astype(int) - cut_out.alpha[0]).max() <= 1


def test_an_opening_mouth_is_opaque(engine: PreviewEngine, cut_out: SourceCrops, driving: TemplateReader) -> None:
    """Of a face that is glass, what is painted between the lips is there."""
    glass = replace(cut_out, alpha=np.full((1, FRAME_SIZE, FRAME_SIZE), 100, np.uint8))
    (plain,) = made(engine, glass, driving, Span(0, 1, 1))
    (opened,) = made(engine, glass, driving, Span(0, 1, 1), lips_open=80.0)
    assert (alpha_of([plain]) == 100).all()
    assert (alpha_of([opened]) == 255).sum() > 200 and (alpha_of([opened]) >= 100).all()


@pytest.mark.parametrize("chunk", [1, 5])
def test_it_does_not_depend_on_the_cut(
    engine: PreviewEngine, cut_out: SourceCrops, driving: TemplateReader, chunk: int
) -> None:
    whole = alpha_of(made(engine, cut_out, driving, Span(0, len(driving), 32)))
    pieces = [
        made(engine, cut_out, driving, Span(a, min(a + 5, len(driving)), chunk)) for a in range(0, len(driving), 5)
    ]
    np.testing.assert_array_equal(whole, np.concatenate([alpha_of(piece) for piece in pieces]))


def test_an_opaque_face_stays_opaque(engine: PreviewEngine, astronaut: SourceCrops, driving: TemplateReader) -> None:
    whole = replace(astronaut, alpha=np.full((1, FRAME_SIZE, FRAME_SIZE), 255, np.uint8))
    assert (alpha_of(made(engine, whole, driving, Span(0, len(driving), 8))) == 255).all()
