"""The engine protocol, kept by LivePortrait's graph at its tiny size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lp_ray.base.errors import EngineOutputError, RefusedError, TemplateError, UnsupportedError
from lp_ray.contract.options import PairOptions
from lp_ray.engine.liveportrait.engine import LivePortraitEngine, PreparedSource
from lp_ray.engine.liveportrait.networks import Model
from lp_ray.engine.liveportrait.weights.load import load_weights
from lp_ray.engine.liveportrait.weights.weight_set import WeightSet
from lp_ray.engine.protocol import Engine, PairMotion, SourceCrops, Span
from lp_ray.motion.records import TAILS
from lp_ray.motion.template import MotionFrames, TemplateReader

pytestmark = pytest.mark.slow

MakeTemplate = Callable[[MotionFrames], TemplateReader]
OPTIONS = PairOptions()


def frames(
    engine: Engine, prepared: PreparedSource, template: TemplateReader, span: Span, options: PairOptions = OPTIONS
) -> NDArray[np.uint8]:
    return np.concatenate(list(chunks(engine, prepared, template, span, options)))


def chunks(
    engine: Engine, prepared: PreparedSource, template: TemplateReader, span: Span, options: PairOptions = OPTIONS
) -> Iterator[NDArray[np.uint8]]:
    direction = engine.direct(PairMotion(template, np.arange(len(template))), options)
    return (made.images for made in engine.animate(prepared, direction, span))


def test_motion_has_the_templates_arrays(motion: MotionFrames) -> None:
    assert {name: array.shape[1:] for name, array in motion.items()} == TAILS
    assert {array.dtype for array in motion.values()} == {np.dtype(np.float32)}
    np.testing.assert_allclose(motion["R"] @ motion["R"].transpose(0, 2, 1), np.tile(np.eye(3), (11, 1, 1)), atol=1e-6)
    assert float(np.ptp(motion["exp"], axis=0).max()) > 1e-3, "the clip moves"


def test_motion_does_not_depend_on_how_a_clip_is_cut(
    engine: LivePortraitEngine, crops: NDArray[np.uint8], points: NDArray[np.float64], motion: MotionFrames
) -> None:
    parts = [engine.extract(crops[a:b], points[a:b]) for a, b in ((0, 1), (1, 10), (10, 11))]
    for name, whole in motion.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), whole, err_msg=name)


def test_frames_come_in_chunks_of_the_span(
    engine: LivePortraitEngine, prepared: PreparedSource, motion: MotionFrames, make_template: MakeTemplate
) -> None:
    cut = list(chunks(engine, prepared, make_template(motion), Span(1, 10, 4)))
    assert [chunk.shape for chunk in cut] == [(4, 512, 512, 3), (4, 512, 512, 3), (1, 512, 512, 3)]
    assert all(chunk.dtype == np.uint8 and chunk.flags.c_contiguous for chunk in cut)
    picture = np.concatenate(cut)
    assert 40 < picture.mean() < 215 and picture.std() > 10, "seeded weights give a lively picture"


def test_frames_do_not_depend_on_how_a_clip_is_cut(
    engine: LivePortraitEngine, prepared: PreparedSource, motion: MotionFrames, make_template: MakeTemplate
) -> None:
    template = make_template(motion)
    whole = frames(engine, prepared, template, Span(0, 11, 11))
    cut = [frames(engine, prepared, template, span) for span in (Span(0, 3, 2), Span(3, 4, 8), Span(4, 11, 3))]
    np.testing.assert_array_equal(np.concatenate(cut), whole)
    assert len({frame.tobytes() for frame in whole}) == 11, "every driving frame moves the source"


def test_the_same_again_from_a_fresh_engine(
    weights: WeightSet,
    source: SourceCrops,
    engine: LivePortraitEngine,
    prepared: PreparedSource,
    motion: MotionFrames,
    make_template: MakeTemplate,
) -> None:
    template, span = make_template(motion), Span(4, 6, 8)
    other = LivePortraitEngine(weights)
    again = frames(other, other.prepare(source), template, span)
    np.testing.assert_array_equal(again, frames(engine, prepared, template, span))


def test_the_first_frame_of_a_clip_and_no_multiplier_leave_the_source_still(
    engine: LivePortraitEngine, prepared: PreparedSource, motion: MotionFrames, make_template: MakeTemplate
) -> None:
    """Relative motion starts at rest; without stitching's small move the source would be unmoved exactly."""
    still = frames(engine, prepared, make_template(motion), Span(0, 11, 11), PairOptions(driving_multiplier=0.0))
    assert len({frame.tobytes() for frame in still}) == 1


def test_a_driving_picture_animates_too(
    engine: LivePortraitEngine, prepared: PreparedSource, motion: MotionFrames, make_template: MakeTemplate
) -> None:
    one = make_template({name: array[3:4] for name, array in motion.items()})
    assert frames(engine, prepared, one, Span(0, 1, 32)).shape == (1, 512, 512, 3)


def test_the_animals_engine_takes_their_nine_points_and_rescales(
    source: SourceCrops, crops: NDArray[np.uint8], make_template: MakeTemplate
) -> None:
    animals = LivePortraitEngine(load_weights("seeded", "tiny", "animal"))
    motion = animals.extract(crops, np.zeros((len(crops), 9, 2)))
    assert motion.keys() == TAILS.keys() - {"eye_ratio", "lip_ratio"}
    prepared = animals.prepare(SourceCrops(source.images, np.zeros((1, 9, 2))))
    assert frames(animals, prepared, make_template(motion), Span(0, 2, 2)).shape == (2, 512, 512, 3)


def test_an_animal_driven_by_a_picture_moves_as_the_picture_says(
    source: SourceCrops, crops: NDArray[np.uint8], make_template: MakeTemplate
) -> None:
    """Two pictures give two frames, and neither is the animal at rest; the same picture gives the same frame."""
    animals = LivePortraitEngine(load_weights("seeded", "tiny", "animal"))
    prepared = animals.prepare(SourceCrops(source.images, np.zeros((1, 9, 2))))
    pictures = [make_template(animals.extract(crops[i : i + 1], np.zeros((1, 0, 2)))) for i in (0, 9, 0)]
    first, second, again = (frames(animals, prepared, picture, Span(0, 1, 1)) for picture in pictures)
    rest = frames(animals, prepared, pictures[0], Span(0, 1, 1), PairOptions(driving_multiplier=0.0))
    np.testing.assert_array_equal(first, again)
    for one, other in ((first, second), (first, rest), (second, rest)):
        assert np.abs(one.astype(int) - other).mean() > 0.05


def test_inputs_of_another_form_are_refused(
    engine: LivePortraitEngine, source: SourceCrops, points: NDArray[np.float64]
) -> None:
    with pytest.raises(UnsupportedError, match="reads n x 256 x 256 x 3 crops, got none"):
        engine.extract(None, points)
    with pytest.raises(UnsupportedError, match=r"got \(11, 512, 512, 3\)"):
        engine.extract(np.zeros((11, 512, 512, 3), np.uint8), points)
    with pytest.raises(UnsupportedError, match="256 x 256 x 3, not"):
        engine.prepare(SourceCrops(source.images[:, :200], source.points))


def test_a_template_of_another_engine_is_refused(
    engine: LivePortraitEngine, prepared: PreparedSource, motion: MotionFrames, make_template: MakeTemplate
) -> None:
    foreign = make_template({"scale": motion["scale"][:, 0], "canonical": np.zeros((11, 478, 3), np.float32)})
    with pytest.raises(TemplateError, match="not made by the liveportrait engine"):
        frames(engine, prepared, foreign, Span(0, 1, 1))


def altered(weights: WeightSet, model: Model, key: str, value: float) -> WeightSet:
    """The same weights with one tensor filled by a value."""
    state = dict(weights.states[model])
    state[key] = torch.full_like(state[key], value)
    return replace(weights, states={**weights.states, model: state})


@pytest.mark.parametrize(
    ("model", "key", "value", "says"),
    [
        ("G", "conv_img.0.bias", -1e4, "black picture"),
        ("G", "conv_img.0.bias", float("nan"), "non-finite"),
        ("W", "fourth.bias", float("inf"), "non-finite"),
    ],
)
def test_damaged_pictures_are_errors_not_videos(
    weights: WeightSet,
    source: SourceCrops,
    motion: MotionFrames,
    make_template: MakeTemplate,
    model: Model,
    key: str,
    value: float,
    says: str,
) -> None:
    damaged = LivePortraitEngine(altered(weights, model, key, value))
    with pytest.raises(EngineOutputError, match=says):
        frames(damaged, damaged.prepare(source), make_template(motion), Span(0, 1, 1))


def test_results_are_marked_with_their_weights(engine: LivePortraitEngine) -> None:
    assert engine.name == "liveportrait" and engine.needs_crops
    assert engine.weights_label == "seeded:tiny" and engine.digest.startswith("seeded:tiny:")


def test_digests_cover_variant_and_precision(weights: WeightSet, engine: LivePortraitEngine) -> None:
    others = [
        LivePortraitEngine(load_weights("seeded", "tiny", "animal")),
        LivePortraitEngine(weights, precision="bfloat16"),
        LivePortraitEngine(weights, precision="float16"),
    ]
    assert len({engine.digest, *(other.digest for other in others)}) == 4
    assert LivePortraitEngine(weights).digest == engine.digest


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_a_gpu_that_is_not_there_is_refused(weights: WeightSet) -> None:
    with pytest.raises(RefusedError, match=r"engine\.device='cuda': .*sees 0 CUDA devices.*engine\.device=cpu"):
        LivePortraitEngine(weights, device="cuda")


@pytest.mark.parametrize(
    ("device", "precision", "says"),
    [
        ("tpu", "float32", "engine.device='tpu' must be cpu, cuda or cuda:N"),
        ("cuda:x", "float32", "must be cpu, cuda or cuda:N"),
        ("cpu:1", "float32", "must be cpu, cuda or cuda:N"),
        ("cpu", "fp8", "engine.precision='fp8' must be one of float32, bfloat16, float16"),
        ("cpu", "int8", "engine.precision='int8' must be one of float32, bfloat16, float16"),
    ],
)
def test_devices_and_precisions_that_do_not_exist_are_refused(
    weights: WeightSet, device: str, precision: str, says: str
) -> None:
    with pytest.raises(RefusedError, match=says):
        LivePortraitEngine(weights, device, precision)
