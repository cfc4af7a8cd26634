"""Frame 0 of a neutral driving is the source picture: to its edge, whatever the crop, and as sharp as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from lp_ray.base.arrays import Image
from lp_ray.base.errors import NoFaceError
from lp_ray.base.limits import Limits
from lp_ray.contract.options import PairOptions
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.protocol import FRAME_SIZE, PairMotion, SourceCrops, Span
from lp_ray.face.crop import invert, transform_points
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.paste_changes import PasteChanges
from lp_ray.face.portrait import Portrait, crop_portrait
from lp_ray.media.images import read_image
from lp_ray.motion.template import MotionFrames, TemplateReader

TemplateMaker = Callable[[MotionFrames], TemplateReader]
FRAMING = SourceFraming(repeat_border=True)


def _close_ups() -> Iterator[tuple[str, Image]]:
    """The astronaut, and pictures cut so closely that the crop reaches past each edge, and past all four."""
    whole = skimage.data.astronaut()
    yield "whole", whole
    yield "all sides", whole[20:250, 130:330]
    yield "left", whole[0:400, 160:460]
    yield "right", whole[0:400, 0:300]
    yield "odd and enlarged", cv2.resize(whole[10:260, 120:340], (901, 1031), interpolation=cv2.INTER_CUBIC)


def _frame_0(
    engine: PreviewEngine, landmarker: MediaPipeLandmarker, template: TemplateReader, picture: Image
) -> tuple[Image, Image, Portrait]:
    """Return the limited picture, frame 0 of its animation, pasted back, and its portrait."""
    limited = np.ascontiguousarray(FRAMING.limit(picture))
    portrait = crop_portrait(limited, landmarker, "large-small", None, FRAMING, FRAME_SIZE)
    prepared = engine.prepare(SourceCrops(portrait.crop[None], portrait.points[None]))
    direction = engine.direct(PairMotion(template, np.arange(len(template))), PairOptions())
    (made,) = engine.animate(prepared, direction, Span(0, 1, 1))
    pasted = limited.copy()
    PasteChanges(portrait.crop, portrait.to_crop).blend(made.images[0], pasted)
    return limited, pasted, portrait


def _check(limited: Image, pasted: Image, portrait: Portrait) -> None:
    difference = np.abs(pasted.astype(int) - limited).max(2)
    points = transform_points(portrait.points, invert(portrait.to_crop))[:, :2]
    x0, y0 = np.clip(np.floor(points.min(0)), 0, None).astype(int)
    x1, y1 = np.ceil(points.max(0)).astype(int)
    outside = np.ones(difference.shape, bool)
    outside[y0:y1, x0:x1] = False
    assert difference[outside].max() <= 2
    for edge in (np.s_[:8], np.s_[-8:], np.s_[:, :8], np.s_[:, -8:]):
        assert difference[edge].max() <= 2
    before, after = (_sharpness(picture[y0:y1, x0:x1]) for picture in (limited, pasted))
    assert after >= 0.9 * before


def _sharpness(picture: Image) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


CLOSE_UPS = dict(_close_ups())


@pytest.mark.parametrize("name", CLOSE_UPS)
def test_carried_pictures(
    engine: PreviewEngine,
    landmarker: MediaPipeLandmarker,
    motion: MotionFrames,
    make_template: TemplateMaker,
    name: str,
) -> None:
    limited, pasted, portrait = _frame_0(engine, landmarker, make_template(motion), CLOSE_UPS[name])
    if name != "whole":
        corners = np.array([[0, 0], [0, 511], [511, 0], [511, 511]]) @ invert(portrait.to_crop)[:, :2].T
        corners += invert(portrait.to_crop)[:, 2]
        assert (corners < 0).any() or (corners > limited.shape[1::-1]).any(), "the crop reaches past the picture"
    _check(limited, pasted, portrait)


def test_real_pictures(
    engine: PreviewEngine,
    landmarker: MediaPipeLandmarker,
    motion: MotionFrames,
    make_template: TemplateMaker,
    media: Path,
) -> None:
    template, checked = make_template(motion), 0
    for path in sorted((media / "source").glob("*.jpg")):
        try:
            limited, pasted, portrait = _frame_0(engine, landmarker, template, read_image(path, Limits()))
        except NoFaceError:  # of the animals, some have no face that the landmarker knows
            continue
        _check(limited, pasted, portrait)
        checked += 1
    assert checked >= 8


def test_a_crop_past_the_picture_repeats_its_border(landmarker: MediaPipeLandmarker) -> None:
    """Nothing black comes into the picture when the head moves."""
    picture = np.maximum(skimage.data.astronaut()[20:250, 130:330], 30)
    crops = [
        crop_portrait(picture, landmarker, "large-small", None, framing, FRAME_SIZE).crop
        for framing in (SourceFraming(), FRAMING)
    ]
    black = [(crop.max(2) < 15).mean() for crop in crops]
    assert black[0] > 0.1 and black[1] < 0.001
