"""Every network against the reference, on seeded weights: every tensor of every case."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from liveportrait_recipe import (
    Comparison,
    compare_patches,
    images,
    input_base,
    network,
    random,
    recorded,
    salt_of,
    salts,
    state,
)
from numpy.typing import NDArray

from lp_ray.engine.liveportrait.config import FULL
from lp_ray.engine.liveportrait.motion import MotionHeads, degrees
from lp_ray.engine.liveportrait.networks import MODELS, expected_shapes
from lp_ray.engine.liveportrait.stitching import retarget, stitch
from lp_ray.engine.liveportrait.weights.seeded import seeded_state
from lp_ray.motion.keypoints import keypoints, rotation
from tests.goldens import Goldens

F32 = NDArray[np.float32]

TOLERANCE = 1e-4
FINE_TOLERANCE = 1e-5
DEGREES_TOLERANCE = 1e-3

FORMS = [
    pytest.param("b1", False, id="b1-published"),
    pytest.param("b1", True, id="b1-folded"),
    pytest.param("b3", True, id="b3-folded"),
]
"""Case, and whether batch and spectral norms are folded; the published form is as exact, and only slower."""


@pytest.fixture(autouse=True)
def no_gradients() -> object:
    with torch.no_grad():
        yield


def test_keys_and_shapes_are_the_published_ones(goldens: Goldens) -> None:
    models = json.loads((goldens / "state_dicts.json").read_text())["human"]
    ours = expected_shapes(FULL)
    for model in MODELS:
        theirs = {key: tuple(shape) for key, (shape, _) in models[model]["tensors"].items()}
        assert ours[model] == theirs, model


def test_seeded_weights_are_the_recipes(goldens: Goldens) -> None:
    checksums = json.loads((goldens / "weights_checksums.json").read_text())
    shapes = expected_shapes(FULL)
    for salt in salts(goldens):
        for model in MODELS:
            human = salt == salt_of(goldens, "human")  # made once for all tests
            tensors = state(goldens, model) if human else seeded_state(salt, model, shapes[model])
            expected = checksums[salt][model]
            floats = [tensor.double() for tensor in tensors.values() if tensor.is_floating_point()]
            assert len(tensors) == expected["n_tensors"]
            assert sum(tensor.numel() for tensor in floats) == expected["n_float"]
            assert sum(float(tensor.sum()) for tensor in floats) == pytest.approx(expected["sum"], abs=1e-6)
            assert sum(float(t.abs().sum()) for t in floats) == pytest.approx(expected["abs_sum"], rel=1e-9)
            first = tensors[expected["first_key"]].flatten()[:4].double().tolist()
            assert first == expected["first_values"], (salt, model)


@pytest.mark.parametrize(("case", "fold"), FORMS)
def test_appearance(goldens: Goldens, case: str, fold: bool) -> None:
    golden = Comparison(goldens / "module_F.npz", case, TOLERANCE, TOLERANCE)
    appearance = network(goldens, "F", fold)
    with recorded(appearance, {"second": "second", "first": "first"}) as mid:
        volume = appearance(images(golden["image_seeds"]))
    golden.sampled("feature_3d", volume, (4, 4, 8, 8))
    golden.sampled("mid/second", mid["second"], (16, 8, 8))
    golden.sampled("mid/first", mid["first"], (8, 32, 32))
    golden.finish()


@pytest.mark.parametrize(("case", "fold"), FORMS)
def test_motion(goldens: Goldens, case: str, fold: bool) -> None:
    golden = Comparison(goldens / "module_M.npz", case, TOLERANCE, TOLERANCE)
    motion = network(goldens, "M", fold)
    names = {"stem": "detector.downsample_layers.0", **{f"stage{i}": f"detector.stages.{i}" for i in range(4)}}
    with recorded(motion, names) as mid:
        heads: MotionHeads = motion(images(golden["image_seeds"]))
    for name, tensor in mid.items():
        golden.sampled(f"mid/{name}", tensor, (8, 4, 4) if tensor.shape[-1] >= 32 else (8, 2, 2))
    for name, tensor in heads._asdict().items():
        golden.whole(f"raw/{name}", tensor)
    angles = {name: degrees(getattr(heads, name)) for name in ("pitch", "yaw", "roll")}
    for name, tensor in angles.items():
        golden.whole(f"info/{name}", tensor, DEGREES_TOLERANCE)
    kp, exp = (tensor.unflatten(1, (21, 3)) for tensor in (heads.kp, heads.exp))
    for name, tensor in {"kp": kp, "exp": exp, "scale": heads.scale, "t": heads.t}.items():
        golden.whole(f"info/{name}", tensor)
    R = rotation(*(angle.numpy() for angle in angles.values()))
    golden.whole("R", R)
    golden.whole("x_s", keypoints(kp.numpy(), heads.scale.numpy(), R, exp.numpy(), heads.t.numpy()))
    golden.finish()


def test_angles_and_rotations(goldens: Goldens) -> None:
    with np.load(goldens / "module_pose.npz") as file:
        pose = dict(file)
    angles: F32 = pose["angles_deg"]
    np.testing.assert_allclose(rotation(*angles.T), pose["R"], FINE_TOLERANCE, FINE_TOLERANCE)
    ours = degrees(torch.from_numpy(pose["bins"]))[:, 0]
    np.testing.assert_allclose(ours, pose["degree"], FINE_TOLERANCE, FINE_TOLERANCE)
    R = rotation(*(pose[f"tk/{name}"] for name in ("pitch", "yaw", "roll")))
    x_s = keypoints(pose["tk/kp"], pose["tk/scale"], R, pose["tk/exp"], pose["tk/t"])
    np.testing.assert_allclose(x_s, pose["tk/x_s"], FINE_TOLERANCE, FINE_TOLERANCE)


@pytest.mark.parametrize(("case", "fold"), FORMS)
def test_warping(goldens: Goldens, case: str, fold: bool) -> None:
    golden = Comparison(goldens / "module_W.npz", case, TOLERANCE, TOLERANCE)
    base, n = input_base(goldens), int(case[1:])
    volume = random("w-feat", base, case, shape=(n, 32, 16, 64, 64), s=0.8)
    x_s = random("w-kps", base, case, shape=(n, 21, 3), s=0.3)
    x_d = x_s + random("w-kpd", base, case, shape=(n, 21, 3), s=0.08)
    golden.whole("kp_source", x_s)
    golden.whole("kp_driving", x_d)
    dense = "dense_motion_network"
    names = {
        "compress_norm": f"{dense}.norm",
        "hourglass": f"{dense}.hourglass",
        "mask_logits": f"{dense}.mask",
        "third": "third",
    }
    warping = network(goldens, "W", fold)
    with recorded(warping, names) as mid:
        warped = warping(volume, x_d, x_s)
    golden.sampled("mid/compress_norm", mid["compress_norm"], (1, 4, 8, 8))
    golden.sampled("mid/hourglass", mid["hourglass"], (8, 4, 8, 8))
    golden.sampled("mid/mask_logits", mid["mask_logits"], (2, 4, 8, 8))
    golden.sampled("mid/third", mid["third"], (8, 8, 8))
    golden.whole("occlusion_map", warped.motion.occlusion)
    golden.sampled("deformation", warped.motion.deformation, (3, 4, 4, 1))
    golden.sampled("out", warped.feature, (8, 4, 4))
    golden.finish()


@pytest.mark.parametrize(("case", "fold"), FORMS)
def test_generator(goldens: Goldens, case: str, fold: bool) -> None:
    golden = Comparison(goldens / "module_G.npz", case, TOLERANCE, TOLERANCE)
    feature = random("g-feat", input_base(goldens), case, shape=(int(case[1:]), 256, 64, 64), s=0.3)
    generator = network(goldens, "G", fold)
    names = ("fc", "G_middle_0", "G_middle_5", "up_0", "up_1")
    with recorded(generator, {name: name for name in names}) as mid:
        picture = generator(feature)
    for name in names:
        step = mid[name].shape[-1] // 8
        golden.sampled(f"mid/{name}", mid[name], (16, step, step))
    golden.sampled("out", picture, (1, 8, 8))
    golden.finish()


def test_whole_pixels_of_the_generator(goldens: Goldens) -> None:
    """The samples above see one sub-pixel in four of the last step."""
    feature = random("g-feat", input_base(goldens), "b1", shape=(1, 256, 64, 64), s=0.3)
    compare_patches(goldens, network(goldens, "G", True)(feature), TOLERANCE)


@pytest.mark.parametrize("case", ["b1", "b3"])
def test_stitching_and_retargeting(goldens: Goldens, case: str) -> None:
    golden = Comparison(goldens / "module_S.npz", case, FINE_TOLERANCE, FINE_TOLERANCE)
    x_s, x_d, eye_ratio, lip_ratio = (
        torch.from_numpy(golden[name]) for name in ("kp_source", "kp_driving", "eye_ratio", "lip_ratio")
    )
    stitching, lip, eye = (network(goldens, model, True) for model in ("S_shoulder", "S_mouth", "S_eye"))
    golden.whole("stitch_delta", stitching(torch.cat([x_s.flatten(1), x_d.flatten(1)], 1)))
    golden.whole("stitched", stitch(stitching, x_s, x_d))
    golden.whole("eye_delta", retarget(eye, x_s, eye_ratio))
    golden.whole("lip_delta", retarget(lip, x_s, lip_ratio))
    golden.finish()
