"""Crops, boxes, points, paste-back and sizes against the reference's numbers (goldens README, "Geometry").

Floats within 1e-4, pictures within one grey level; within four of what OpenCV 4.10 gives.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.engine.liveportrait.config import TINY
from lp_ray.engine.liveportrait.fast.renderer import Pass, Renderer
from lp_ray.engine.liveportrait.networks import load_networks
from lp_ray.engine.liveportrait.predictor import Predictor
from lp_ray.engine.liveportrait.warping import Warped
from lp_ray.engine.liveportrait.weights.load import load_weights
from lp_ray.face.compare import side_by_side
from lp_ray.face.crop import Rectangle, cut, invert, limit_size, mean_box, resize, transform_points
from lp_ray.face.paste_back import PasteBack, soft_mask
from lp_ray.face.points import eye_ratios, lip_ratio, two_points
from lp_ray.motion.keypoints import hull_multiplier
from lp_ray.motion.neutral import NEUTRAL_LIP
from tests.goldens import Goldens

Arrays = dict[str, NDArray[Any]]


def seeded_image(seed: int, height: int = 256, width: int = 256) -> Image:
    """The README's recipe of inputs."""
    g = np.random.Generator(np.random.PCG64(zlib.crc32(f"image:{seed}".encode())))

    def up(low: int, high: int, cell: int) -> NDArray[np.int64]:
        blocks = g.integers(low, high, (-(-height // cell), -(-width // cell), 3))
        return blocks.repeat(cell, 0).repeat(cell, 1)[:height, :width]

    return np.clip(up(0, 256, 128) + up(-64, 65, 16) + up(-12, 13, 1), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def geometry(goldens: Goldens) -> Arrays:
    with np.load(goldens / "geometry.npz") as file:
        return dict(file)


@dataclass(frozen=True)
class Pictures:
    """What one version of OpenCV made of every case, and how many grey levels ours may be off."""

    arrays: Arrays
    levels: int

    def alike(self, ours: Image, name: str) -> None:
        alike(ours, self.arrays[name], self.levels)


@pytest.fixture(scope="module", params=[("geometry.npz", 1), ("geometry_cv410.npz", 4)], ids=["5.0", "4.10"])
def pictures(goldens: Goldens, request: pytest.FixtureRequest) -> Pictures:
    name, levels = request.param
    with np.load(goldens / name) as file:
        found = Pictures(dict(file), levels)
    assert any(name.endswith(("/img_crop", "/result")) for name in found.arrays)
    return found


@pytest.fixture(scope="module")
def cases(goldens: Goldens) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads((goldens / "geometry_cases.json").read_text())
    assert read
    return read


@pytest.fixture(scope="module")
def picture(geometry: Arrays) -> Image:
    return seeded_image(*geometry["img_seed_h_w"].tolist())


def close(ours: Any, golden: NDArray[Any]) -> None:
    np.testing.assert_allclose(ours, golden, rtol=1e-4, atol=1e-4)


def alike(ours: Image, golden: NDArray[Any], levels: int = 1) -> None:
    assert ours.shape == golden.shape
    assert ours.dtype == golden.dtype == np.uint8
    assert np.abs(ours.astype(int) - golden).max() <= levels


def square(case: dict[str, Any], points: NDArray[Any], vx: float) -> Rectangle:
    found = Rectangle.of_points(points, case["scale"], vx, case["vy_ratio"])
    return found if case["flag_do_rot"] else found.upright


def names(arrays: Arrays, room: str, depth: int) -> list[str]:
    """The distinct case names of a room: their first `depth` parts."""
    found = sorted({"/".join(name.split("/")[:depth]) for name in arrays if name.startswith(f"{room}/")})
    assert found, room
    return found


def test_two_points_of_every_landmark_set(geometry: Arrays) -> None:
    sets = names(geometry, "pt2", 2)
    assert len(sets) >= 7
    for name in sets:
        for kind in ("f4", "f8"):
            for lips in (True, False):
                golden = geometry[f"{name}/{kind}/lip{int(lips)}"]
                close(two_points(geometry[f"{name}/pts"].astype(golden.dtype), use_lips=lips), golden)


def test_rectangles(geometry: Arrays, cases: list[dict[str, Any]]) -> None:
    for case in cases:
        name = case["case"]
        points = geometry[f"{name}/pts"]
        found = Rectangle.of_points(points, case["scale"], case["vx_ratio"], case["vy_ratio"])
        close(found.centre, geometry[f"{name}/rect_center"])
        close([found.size] * 2, geometry[f"{name}/rect_size"])
        close(found.angle, geometry[f"{name}/rect_angle"])
        close(found.upright.corners, geometry[f"{name}/bbox"])
        close(found.corners, geometry[f"{name}/bbox_rot"])


def test_matrices_honour_both_shifts(geometry: Arrays, cases: list[dict[str, Any]]) -> None:
    for case in cases:
        name = case["case"]
        to_crop = square(case, geometry[f"{name}/pts"], case["vx_ratio"]).to_crop(case["dsize"])
        close(to_crop, geometry[f"{name}/M_INV"])
        close(invert(to_crop), geometry[f"{name}/M"])


def test_crops(geometry: Arrays, pictures: Pictures, cases: list[dict[str, Any]], picture: Image) -> None:
    """The reference's own crop swallows vx, so these are made with none."""
    for case in cases:
        name = case["case"]
        points = geometry[f"{name}/pts"]
        to_crop = square(case, points, 0.0).to_crop(case["dsize"])
        close(to_crop, geometry[f"{name}/M_o2c"][:2])
        close(invert(to_crop), geometry[f"{name}/M_c2o"][:2])
        close(transform_points(points, to_crop), geometry[f"{name}/pt_crop"])
        crop = cut(picture, to_crop, case["dsize"])
        pictures.alike(crop, f"{name}/img_crop")


def test_points_on_one_spot_stand_upright(geometry: Arrays) -> None:
    found = Rectangle.of_points(geometry["degenerate/pts"], 1.5)
    close(found.centre, geometry["degenerate/center"])
    close([found.size] * 2, geometry["degenerate/size"])
    close(found.angle, geometry["degenerate/angle"])


def test_crops_by_box(geometry: Arrays, pictures: Pictures, picture: Image) -> None:
    points = geometry["bybbox/lmk_pts"]
    boxes = [name for name in names(geometry, "bybbox", 3) if f"{name}/bbox" in geometry]
    assert len(boxes) >= 9
    for name in boxes:
        golden = geometry[f"{name}/M_o2c"]
        crop = geometry[f"{name}/img_crop"]
        # The files do not tell the angle, only the matrix that it led to.
        angle = float(np.arctan2(golden[0, 1], golden[0, 0]))
        to_crop = Rectangle.of_box(geometry[f"{name}/bbox"], angle).to_crop(len(crop))
        close(to_crop, golden[:2])
        close(invert(to_crop), geometry[f"{name}/M_c2o"][:2])
        close(transform_points(points, to_crop), geometry[f"{name}/lmk_crop"])
        ours = cut(picture, to_crop, len(crop))
        alike(ours, pictures.arrays.get(f"{name}/img_crop", crop), pictures.levels)  # 4.10: only what differs


def test_outside_of_the_picture_is_black(geometry: Arrays, pictures: Pictures, picture: Image) -> None:
    golden = geometry["bybbox/border/img_crop"]
    crop = cut(picture, Rectangle.of_box(geometry["bybbox/1/rot0_ang0/bbox"]).to_crop(len(golden)), len(golden))
    pictures.alike(crop, "bybbox/border/img_crop")
    assert (crop[0, 0] == 0).all()


def test_mean_box(geometry: Arrays) -> None:
    close(mean_box(geometry["avgbbox/in"]), geometry["avgbbox/out"])


def test_paste_back(geometry: Arrays, pictures: Pictures, picture: Image) -> None:
    frame = seeded_image(*geometry["paste/crop_seed_h_w"].tolist())
    placed = [name for name in names(geometry, "paste", 2) if f"{name}/result" in geometry]
    assert len(placed) >= 3
    for name in placed:
        matrix = geometry[f"{name}/M_c2o"][:2]
        mask = cv2.warpAffine(soft_mask(), matrix, picture.shape[1::-1], flags=cv2.INTER_LINEAR)
        pasted = picture.copy()
        PasteBack((picture.shape[0], picture.shape[1]), matrix).blend(frame, pasted)
        for ours, kind in ((mask.astype(np.uint8), "mask_u8"), (pasted, "result")):
            pictures.alike(ours, f"{name}/{kind}")


def test_size_limits(geometry: Arrays) -> None:
    seed = int(geometry["resize/img_seed"])
    for i, (height, width, max_dim, division, out_height, out_width) in enumerate(geometry["resize/cases"].tolist()):
        limited = limit_size(seeded_image(seed, height, width), max_dim, division)
        assert limited.shape == (out_height, out_width, 3)
        alike(limited, geometry[f"resize/{i}/out"])


def test_ratios(geometry: Arrays) -> None:
    points = geometry["ratio/lmk"]
    close(eye_ratios(points), geometry["ratio/eye"])
    close(lip_ratio(points), geometry["ratio/lip"])
    close(eye_ratios(points)[:, None], geometry["ratio/calc_ratio_eye"])
    close(lip_ratio(points)[:, None], geometry["ratio/calc_ratio_lip"])
    close(eye_ratios(geometry["ratio/degenerate_lmk"]), geometry["ratio/degenerate_eye"])


def test_ratios_given_to_retargeting(geometry: Arrays) -> None:
    """The source's ratios come first in what the retargeting networks read, the driver's (one eye) after them."""
    for kind, ours in (("eye", eye_ratios), ("lip", lip_ratio)):
        first = ours(geometry["ratio/lmk"][:1])
        driver = geometry[f"ratio/combined_{kind}_in"].reshape(1, -1)[:, :1]
        close(np.hstack([first, driver]), geometry[f"ratio/combined_{kind}"])


def test_side_by_side(geometry: Arrays) -> None:
    """Panels take the size of the generated frame, whose seed and size come first of the three."""
    seeds = geometry["concat/seeds"].reshape(-1, 2).tolist()
    (made, size), (source, source_size), (driver, driver_size) = seeds
    for i, golden in enumerate(geometry["concat/drv_src_gen"]):
        panels = [
            seeded_image(driver + i, driver_size, driver_size),
            seeded_image(source, source_size, source_size),
            seeded_image(made + i, size, size),
        ]
        alike(side_by_side(panels, size), golden)
        alike(side_by_side(panels[1:], size), geometry["concat/src_gen"][i])
        panels[1] = seeded_image(source + i, source_size, source_size)
        alike(side_by_side(panels, size), geometry["concat/drv_srcvideo_gen"][i])


def test_pictures_prepared_for_the_networks(geometry: Arrays) -> None:
    """A picture taken as cropped already is resized bilinearly to 256; the files hold every eighth pixel."""
    seed = int(geometry["prepare/seed"])
    found = [name for name in names(geometry, "prepare", 2) if "source_" in name]
    assert found
    for name in found:
        height, width = (int(side) for side in name.rsplit("_", 1)[1].split("x"))
        planes = resize(seeded_image(seed, height, width), 256).transpose(2, 0, 1)[None] / 255
        step = 256 // geometry[name].shape[-1]
        close(planes[..., ::step, ::step], geometry[name])


def test_frames_prepared_for_the_motion_extractor(geometry: Arrays) -> None:
    """What M is given of a clip's crops of 256 x 256; the seeds follow the picture's by ten and eleven."""
    n, _, *shape = geometry["prepare/video_shape"].tolist()
    first = int(geometry["prepare/seed"]) + 10
    crops = np.stack([seeded_image(first + i) for i in range(n)])
    networks = load_networks(TINY, load_weights("seeded", "tiny", "human").states)
    given: list[torch.Tensor] = []
    networks.motion.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    Predictor(networks, torch.device("cpu"), torch.float32).motion(crops)
    seen = torch.cat(given)[:n]
    assert list(seen.shape) == [n, *shape]
    golden = geometry["prepare/video_sample"]
    step = shape[-1] // golden.shape[-1]
    close(seen[:, None, :, ::step, ::step], golden)


def test_pictures_become_bytes_by_truncation(geometry: Arrays) -> None:
    """Exactly: rounding would be within one level, too. Clipped to [0, 1], where G's sigmoid keeps its pictures."""
    pictures = torch.from_numpy(np.clip(geometry["parse/in"], 0, 1)).permute(0, 2, 3, 1)
    networks = load_networks(TINY, load_weights("seeded", "tiny", "human").states)
    renderer = Renderer(networks, torch.device("cpu"), "eager")
    renderer.warping = lambda *parts: Warped(parts[0], None)
    renderer.generator = lambda feature: pictures
    nothing = torch.zeros(len(pictures), 21, 3)
    (made,) = renderer.render([Pass(nothing, nothing, nothing, nothing)])
    np.testing.assert_array_equal(made.pixels.numpy(), geometry["parse/out"])


def test_the_neutral_lips_are_the_references_to_the_last_bit(goldens: Goldens) -> None:
    golden = json.loads((goldens / "lip_array.json").read_text())
    values = np.array(golden["lip_array"], golden["lip_array_dtype"]).reshape(golden["lip_array_shape"])
    assert values.shape == (1, *NEUTRAL_LIP.shape)
    np.testing.assert_array_equal(NEUTRAL_LIP, values[0].astype(np.float32))


def test_motion_multipliers(geometry: Arrays) -> None:
    for name in names(geometry, "mm", 2):
        multiplier = hull_multiplier(geometry[f"{name}/source"][0], geometry[f"{name}/driving"][0])
        close(multiplier, geometry[f"{name}/out"])
