"""engine.finishing=device: the engine pastes back and makes yuv420p itself, within 1 of the CPU form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.errors import RefusedError
from lp_ray.contract.options import PairOptions
from lp_ray.engine.factory import EngineSpec, create_engine, identify_engine
from lp_ray.engine.liveportrait.engine import LivePortraitEngine, PreparedSource
from lp_ray.engine.protocol import PairMotion, Span
from lp_ray.face.crop import Rectangle, invert
from lp_ray.face.paste_back import PasteBack
from lp_ray.motion.template import MotionFrames, TemplateReader
from tests.media.test_yuv_on_device import of_ffmpeg

pytestmark = pytest.mark.slow

MakeTemplate = Callable[[MotionFrames], TemplateReader]
SPEC = EngineSpec("liveportrait", weights="seeded", size="tiny")
SPAN = Span(0, 3, 2)
"""Two chunks, the last one shorter."""

PLACES = (((150, 130), 220, 0.2), ((280, 150), 160, -0.4))


@pytest.mark.parametrize("n_faces", [1, 2])
def test_finished_frames_are_those_of_the_stage_write(
    engine: LivePortraitEngine,
    prepared: PreparedSource,
    motion: MotionFrames,
    make_template: MakeTemplate,
    n_faces: int,
) -> None:
    """On a picture of odd sides, faces that overlap."""
    picture = np.ascontiguousarray(skimage.data.astronaut()[:299, :401])
    to_crop = np.stack([Rectangle(*place).to_crop(512) for place in PLACES[:n_faces]])
    direction = engine.direct(PairMotion(make_template(motion), np.arange(len(motion["exp"]))), PairOptions())
    sources = [prepared] * n_faces
    finished = list(engine.finish(sources, [direction] * len(sources), SPAN, picture, to_crop))
    crops = list(engine.animate(prepared, direction, SPAN))
    assert [made.planes.shape for made in finished] == [(2, 447, 400), (1, 447, 400)]
    for made, frames in zip(finished, crops, strict=True):
        assert len(made.facts) == n_faces
        for name, rows in frames.facts.items():
            np.testing.assert_array_equal(made.facts[-1][name], rows)
        for planes, frame in zip(made.planes, frames.images, strict=True):
            expected = of_ffmpeg(_pasted(picture, frame, to_crop))
            assert np.abs(planes.ravel().astype(int) - expected).max() <= 1 + n_faces
            assert (planes.ravel() != expected).mean() < 0.03


def _pasted(picture: Image, frame: Image, to_crop: NDArray[np.float64]) -> Image:
    shown = picture.copy()
    for matrix in to_crop:
        PasteBack((picture.shape[0], picture.shape[1]), invert(matrix)).blend(frame, shown)
    return shown


def test_the_setting_is_declared_and_enters_the_keys() -> None:
    """A value may differ by 1: no frame of the one may count as one of the other."""
    default, device = identify_engine(SPEC), identify_engine(replace(SPEC, settings=(("finishing", "device"),)))
    assert (default.finishes, device.finishes) == (False, True) and default.digest != device.digest
    assert identify_engine(replace(SPEC, settings=(("finishing", "cpu"),))) == default
    assert create_engine(replace(SPEC, settings=(("finishing", "device"),))).digest == device.digest
    with pytest.raises(RefusedError, match=r"engine\.finishing='gpu' must be cpu or device"):
        identify_engine(replace(SPEC, settings=(("finishing", "gpu"),)))
