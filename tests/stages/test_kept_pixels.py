"""What an engine declares of its pixels decides how its crops end and how its frames return to the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from lp_ray.base.arrays import Image
from lp_ray.contract.formats import FORMATS
from lp_ray.engine.factory import EngineSpec, identify_engine
from lp_ray.engine.protocol import EngineIdentity
from lp_ray.media.frames_zip import read_frames
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import SpanRow
from lp_ray.stages.contract import Bench
from lp_ray.stages.rows import AnimatedChunk, SourcedSpan
from lp_ray.stages.source import CropSources
from lp_ray.stages.write import WriteSegments
from lp_ray.storage.uri import local_path
from tests.stages.work import SOURCE, work

PREVIEW = identify_engine(EngineSpec("preview"))
OTHERS = replace(PREVIEW, keeps_pixels=False)


@pytest.fixture
def picture(tmp_path: Path) -> Image:
    """Bright, and cut so closely that the crop reaches past its edges."""
    image = np.maximum(skimage.data.astronaut()[20:250, 130:330], 60)
    cv2.imwrite(str(tmp_path / "close.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return np.asarray(image)


def _through(folder: Path, identity: EngineIdentity) -> tuple[SourcedSpan, Image]:
    """Return the source as cropped, and the picture that is written if the engine changes nothing."""
    bench = Bench(Settings(f"file://{folder}/out", f"file://{folder}/t", EngineSpec("preview")), identity)
    pair = work(source=replace(SOURCE, uri=f"file://{folder}/close.png"), format="frames", n_frames=1)
    (sourced,) = CropSources(bench).work(SpanRow(pair, 0, 1))
    chunk = AnimatedChunk(pair, 0, sourced.facts, {}, sourced.crops, sourced.to_crop, sourced.present)
    (segment,) = WriteSegments(bench).work(chunk)
    assert segment.n_frames == 1
    suffix = FORMATS.get("frames").segment_suffix
    path = local_path(bench.settings.output_layout.segment(pair.pair_id, 0, suffix))
    assert path is not None
    return sourced, next(iter(read_frames(Path(path))))


def test_the_preview_engine_keeps_pixels_and_others_do_not_unless_they_say_so() -> None:
    assert PREVIEW.keeps_pixels
    assert not EngineIdentity("another", "digest", needs_crops=True, source_size=256).keeps_pixels


def test_unchanged_crops_leave_the_picture_to_the_byte(tmp_path: Path, picture: Image) -> None:
    sourced, written = _through(tmp_path, PREVIEW)
    assert sourced.crops[0].min() > 30, "the picture's border goes on"
    np.testing.assert_array_equal(written, picture)


def test_crops_of_other_engines_end_in_black_and_are_pasted_whole_as_in_the_reference(
    tmp_path: Path, picture: Image
) -> None:
    sourced, written = _through(tmp_path, OTHERS)
    assert (sourced.crops[0, 0].max(2) == 0).mean() > 0.1
    assert (written != picture).any()
