"""The engine's promises: still at rest, cut anywhere, bounded, and honest about bad motion."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from lp_ray.base.errors import EngineOutputError, TemplateError, UnsupportedError
from lp_ray.contract.options import PairOptions
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.protocol import Engine, PairMotion, SourceCrops, Span
from lp_ray.motion.template import MotionFrames, TemplateReader

TemplateMaker = Callable[[MotionFrames], TemplateReader]


def _animate(
    engine: Engine, prepared: PreparedSource, template: TemplateReader, span: Span, multiplier: float = 1.0
) -> np.ndarray:
    options = PairOptions(driving_multiplier=multiplier)
    return np.concatenate(list(_chunks(engine, [prepared], template, span, options)))


def _chunks(
    engine: Engine, prepared: list[PreparedSource], template: TemplateReader, span: Span, options: PairOptions
) -> Iterator[np.ndarray]:
    direction = engine.direct(PairMotion(template, np.arange(len(template))), options)
    return (made.images for made in engine.animate(prepared, direction, span))


def test_extract_gives_float32_rows(motion: MotionFrames) -> None:
    shapes = {name: array.shape for name, array in motion.items()}
    assert shapes == {
        "scale": (12,),
        "rotation": (12, 3, 3),
        "translation": (12, 3),
        "canonical": (12, 478, 3),
        "eye_ratio": (12, 2),
        "lip_ratio": (12, 1),
    }
    assert {array.dtype for array in motion.values()} == {np.dtype(np.float32)}


def test_extract_does_not_depend_on_the_cut(engine: PreviewEngine, astronaut: SourceCrops) -> None:
    points = astronaut.points[0] + np.linspace(0, 9, 7)[:, None, None]
    whole = engine.extract(None, points)
    pieces = [engine.extract(None, points[a:b]) for a, b in ((0, 1), (1, 5), (5, 7))]
    for name, array in whole.items():
        np.testing.assert_array_equal(array, np.concatenate([piece[name] for piece in pieces]))


def test_frame_0_is_the_source(
    engine: PreviewEngine,
    prepared: PreparedSource,
    astronaut: SourceCrops,
    motion: MotionFrames,
    make_template: TemplateMaker,
) -> None:
    frame = _animate(engine, prepared, make_template(motion), Span(0, 1, 1))[0]
    np.testing.assert_array_equal(frame, astronaut.images[0])


def test_multiplier_0_is_the_still_source_and_more_moves_more(
    engine: PreviewEngine,
    prepared: PreparedSource,
    astronaut: SourceCrops,
    motion: MotionFrames,
    make_template: TemplateMaker,
) -> None:
    template = make_template(motion)
    change = []
    for multiplier in (0.0, 0.5, 1.0):
        frame = _animate(engine, prepared, template, Span(8, 9, 1), multiplier)[0]
        change.append(np.abs(frame.astype(int) - astronaut.images[0]).mean())
    assert change[0] == 0
    assert 1 < change[1] < change[2]


def test_frames_do_not_depend_on_the_cut(
    engine: PreviewEngine, prepared: PreparedSource, motion: MotionFrames, make_template: TemplateMaker
) -> None:
    """One span of one chunk, or any spans and chunks: the same bytes, smoothing included."""
    template = make_template(motion)
    whole = _animate(engine, prepared, template, Span(0, 12, 12))
    again = np.concatenate(
        [_animate(engine, prepared, template, Span(*cut)) for cut in ((0, 5, 2), (5, 6, 1), (6, 12, 4))]
    )
    np.testing.assert_array_equal(whole, again)


def test_chunks_have_the_asked_length(
    engine: PreviewEngine, prepared: PreparedSource, motion: MotionFrames, make_template: TemplateMaker
) -> None:
    chunks = list(_chunks(engine, [prepared], make_template(motion), Span(2, 9, 3), PairOptions()))
    assert [chunk.shape for chunk in chunks] == [(3, 512, 512, 3), (3, 512, 512, 3), (1, 512, 512, 3)]
    assert {chunk.dtype for chunk in chunks} == {np.dtype(np.uint8)}


def test_the_border_never_moves(
    engine: PreviewEngine,
    prepared: PreparedSource,
    astronaut: SourceCrops,
    motion: MotionFrames,
    make_template: TemplateMaker,
) -> None:
    frame = _animate(engine, prepared, make_template(motion), Span(11, 12, 1))[0].astype(int)
    source = astronaut.images[0].astype(int)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(frame[edge] - source[edge]).mean() < 2
    for corner in (np.s_[:24, :24], np.s_[:24, -24:], np.s_[-24:, :24], np.s_[-24:, -24:]):
        assert np.abs(frame[corner] - source[corner]).mean() < 3


@pytest.mark.parametrize("strength", [30.0, 1e4, 1e12])
def test_extreme_motion_gives_a_bounded_picture(
    engine: PreviewEngine,
    prepared: PreparedSource,
    astronaut: SourceCrops,
    motion: MotionFrames,
    make_template: TemplateMaker,
    strength: float,
) -> None:
    """Wild landmarks may look odd, but the picture's edge and its light stay."""
    random = np.random.default_rng(5)
    wild = {name: array.copy() for name, array in motion.items()}
    wild["canonical"][3:] += strength * random.standard_normal(wild["canonical"][3:].shape).astype(np.float32)
    wild["translation"][3:] += np.float32(strength)
    wild["scale"][3:] *= np.float32(strength)
    frame = _animate(engine, prepared, make_template(wild), Span(6, 7, 1), 4.0)[0]
    assert np.abs(frame[0].astype(int) - astronaut.images[0][0]).mean() < 2
    assert abs(frame.mean() - astronaut.images[0].mean()) < 40


@pytest.mark.parametrize("name", ["scale", "rotation", "translation", "canonical"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_motion_that_is_not_finite_is_refused(
    engine: PreviewEngine,
    prepared: PreparedSource,
    motion: MotionFrames,
    make_template: TemplateMaker,
    name: str,
    bad: float,
) -> None:
    broken = {key: array.copy() for key, array in motion.items()}
    broken[name][5] = bad
    with pytest.raises(EngineOutputError, match="not finite"):
        _animate(engine, prepared, make_template(broken), Span(5, 6, 1))


def test_templates_of_other_engines_are_refused(
    engine: PreviewEngine, prepared: PreparedSource, motion: MotionFrames, make_template: TemplateMaker
) -> None:
    with pytest.raises(TemplateError, match="canonical"):
        foreign = {name: motion[name] for name in ("scale", "rotation", "translation")}
        _animate(engine, prepared, make_template(foreign), Span(0, 1, 1))
    with pytest.raises(TemplateError, match="make the template again"):
        shorter = {**motion, "canonical": motion["canonical"][:, :21]}
        _animate(engine, prepared, make_template(shorter), Span(0, 1, 1))


def test_other_landmarks_are_refused(engine: PreviewEngine) -> None:
    with pytest.raises(UnsupportedError, match="478 x 3"):
        engine.extract(None, np.zeros((4, 203, 2)))


def test_the_digest_is_stable() -> None:
    assert PreviewEngine().digest == PreviewEngine().digest
    assert len(PreviewEngine().digest) == 64
