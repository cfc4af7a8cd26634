"""What stands behind each version constant that is raised by hand: outputs on small inputs that are made by code.

Each function returns the outputs of one constant: arrays, which `summary` boils down to a few numbers that differ
between machines by rounding alone, or a text, which is compared as it stands.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import skimage.data
import torch
from numpy.typing import NDArray

from lp_ray.base.arrays import Image
from lp_ray.base.limits import Limits
from lp_ray.contract.options import PairOptions
from lp_ray.coordinator.reporting import Summary
from lp_ray.engine.factory import EngineSpec
from lp_ray.engine.liveportrait.engine import LivePortraitEngine
from lp_ray.engine.liveportrait.weights.load import load_weights
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.protocol import CROP_SIZE, FRAME_SIZE, PairMotion, SourceCrops, Span
from lp_ray.face.compare import side_by_side
from lp_ray.face.crop import invert
from lp_ray.face.framing import DrivingFraming, SourceFraming
from lp_ray.face.identity.network import IdentityNetwork
from lp_ray.face.insightface.landmarker import InsightFaceLandmarker
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.mediapipe.mesh import canonical_mesh
from lp_ray.face.paste_back import PasteBack
from lp_ray.face.xpose.config import TINY
from lp_ray.face.xpose.runner import XPoseDetector
from lp_ray.face.xpose.seeded import seeded_checkpoint, seeded_prompts
from lp_ray.face.xpose.weights import load_xpose
from lp_ray.labels.file import Labels, write_labels
from lp_ray.labels.table import BY_NAME
from lp_ray.media.clip import open_footage
from lp_ray.media.encode import encode_segment
from lp_ray.models.store import LockEntry, WeightStore
from lp_ray.motion.performance import INTERPOLATIONS, Keys, Performance
from lp_ray.motion.performed import asked, combined, frames_of
from lp_ray.motion.template import MotionFrames, TemplateHeader, TemplateReader, write_template
from lp_ray.plan.settings import Settings
from lp_ray.report.summary import describe_run
from lp_ray.stages.measuring.driving import _of_clip
from lp_ray.stages.measuring.models import models_here
from tests.face.insightface.drawn import Drawn, draw
from tests.face.insightface.models import model_files, write_models

Outputs = list[NDArray[Any]] | str
Numbers = tuple[float, ...]
Fingerprint = dict[str, Numbers] | str
FLOATS, PICTURES = "floats", "pictures"

PROJECTIONS = 6


def summary(outputs: list[NDArray[Any]]) -> Numbers:
    """Return the mean logarithm of the arrays' sizes, and seeded projections in which each array has an equal voice.

    An array that changes by a share r of its size moves each projection by about r / sqrt(arrays).
    """
    size, sums = 0.0, np.zeros(PROJECTIONS)
    for index, array in enumerate(outputs):
        values = np.asarray(array, np.float64).ravel()
        rms = max(float(np.sqrt(np.square(values).mean())), 1e-12)
        random = np.random.Generator(np.random.PCG64(index))
        signs = random.integers(0, 2, (PROJECTIONS, len(values)), np.int8) * 2.0 - 1.0
        size += np.log(rms) / len(outputs)
        sums += signs @ values / (rms * np.sqrt(len(values) * len(outputs)))
    return tuple(round(float(number), 5) for number in (size, *sums))


def portrait() -> Image:
    """The astronaut's face (scikit-image, public domain), 256 x 256."""
    return np.ascontiguousarray(skimage.data.astronaut()[0:256, 96:352])


def face_points(turn: float = 0.0, jaw: float = 0.0, shut: float = 0.0) -> NDArray[np.float64]:
    """The canonical face with irises on a FRAME_SIZE picture, 478 x 3.

    It is turned by degrees, its lower lip `jaw` lower, its eyes shut by a share.
    """
    vertices = canonical_mesh().vertices.copy()
    vertices[[17, 14, 87, 317], 1] -= jaw
    vertices[[159, 386]] += shut * (vertices[[145, 374]] - vertices[[159, 386]])
    corners = [vertices[[33, 133]], vertices[[362, 263]]]
    around = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)]) * 0.5
    irises = np.concatenate([pair.mean(0) + around for pair in corners])
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    placed = np.concatenate([vertices, irises]) @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    return placed * (14, -14, -14) + (FRAME_SIZE / 2, FRAME_SIZE / 2, 0)


def face_clip() -> NDArray[np.float64]:
    """Three frames: eyes all but shut, a slight turn, a turn past what a warp shows with the mouth open."""
    return np.stack([face_points(shut=0.8), face_points(8, 0.5), face_points(-35, 1.5)])


def template(folder: Path, engine: str, motion: MotionFrames) -> TemplateReader:
    """Write motion to a file of the template's form, and open it."""
    path = folder / f"{len(list(folder.iterdir()))}.npz"
    n_frames = len(next(iter(motion.values())))
    write_template(path, TemplateHeader(engine, "digest", "landmarks", 25, 1, n_frames), [motion])
    return TemplateReader(path)


def preview_frames(folder: Path) -> Outputs:
    engine = PreviewEngine()
    image = cv2.resize(portrait(), (FRAME_SIZE, FRAME_SIZE), interpolation=cv2.INTER_CUBIC)
    prepared = engine.prepare(SourceCrops(image[None], face_points()[None]))
    motion = engine.extract(None, face_clip())
    outputs: list[NDArray[Any]] = [motion[name] for name in sorted(motion)]
    for driving, options in (
        (template(folder, engine.name, motion), PairOptions()),
        (template(folder, engine.name, motion), PairOptions(driving_reference="neutral", driving_multiplier=1.5)),
        (template(folder, engine.name, {name: rows[2:] for name, rows in motion.items()}), PairOptions()),
    ):
        direction = engine.direct(PairMotion(driving, np.arange(len(driving))), options)
        outputs += [made.images for made in engine.animate(prepared, direction, Span(0, len(driving), 2))]
    return outputs


LIVEPORTRAIT_OPTIONS = (
    PairOptions(),
    PairOptions(animation_region="lip", flag_normalize_lip=True, driving_reference="neutral"),
    PairOptions(animation_region="eyes", flag_relative_motion=False, flag_stitching=False, paste_back=False),
    PairOptions(flag_eye_retargeting=True, flag_lip_retargeting=True, driving_multiplier=1.5),
    PairOptions(flag_source_video_eye_retargeting=True, driving_smooth_observation_variance=1e-4),
)


def liveportrait_frames(folder: Path) -> Outputs:
    """A frame, and keypoints: people by several options, picture and video; an animal by clip and picture."""
    crops = np.stack([portrait()[i : i + 240, 2 * i : 2 * i + 240] for i in (0, 3, 8)])
    crops = np.stack([cv2.resize(crop, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA) for crop in crops])
    points = face_clip()
    outputs: list[NDArray[Any]] = []
    people = LivePortraitEngine(load_weights("seeded", "tiny", "human"))
    motion = people.extract(crops, points / 2)
    driving = template(folder, people.name, motion)
    picture = people.prepare(SourceCrops(crops[:1], points[:1]))
    film = people.prepare(SourceCrops(crops, points, is_video=True))
    direction = people.direct(PairMotion(driving, np.array([2])), LIVEPORTRAIT_OPTIONS[0])
    outputs += [made.images[:, ::4, ::4] for made in people.animate(picture, direction, Span(0, 1, 1))]
    with _keypoints_of(people, outputs):
        for options in LIVEPORTRAIT_OPTIONS:
            for prepared, own in ((picture, None), (film, driving)):
                direction = people.direct(PairMotion(driving, np.array([2, 1, 0]), own), options)
                list(people.animate(prepared, direction, Span(0, 3, 3)))
    animals = LivePortraitEngine(load_weights("seeded", "tiny", "animal"))
    motion = animals.extract(crops, np.empty((3, 0, 3)))
    prepared = animals.prepare(SourceCrops(crops[:1], np.empty((1, 0, 3))))
    with _keypoints_of(animals, outputs):
        for rows in (slice(0, 3), slice(2, 3)):
            clip = template(folder, animals.name, {name: array[rows] for name, array in motion.items()})
            direction = animals.direct(PairMotion(clip, np.arange(len(clip))), PairOptions())
            list(animals.animate(prepared, direction, Span(0, len(clip), 3)))
    return outputs


@contextmanager
def _keypoints_of(engine: LivePortraitEngine, outputs: list[NDArray[Any]]) -> Iterator[None]:
    """Take down the keypoints that frames would be drawn by, less those of the source, and draw none."""

    def keep(source: Any, x_s: NDArray[np.float32], x_d: NDArray[np.float32]) -> NDArray[np.uint8]:
        outputs.append(x_d - x_s)
        return np.zeros((len(x_d), 1, 1, 3), np.uint8)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine._predictor, "frames", keep)
        yield


def seeded_recipe(folder: Path) -> Outputs:
    states = load_weights("seeded", "tiny", "human").states
    return [np.concatenate([tensor.numpy().ravel() for _, tensor in sorted(states[m].items())]) for m in sorted(states)]


def mediapipe_points(folder: Path) -> Outputs:
    landmarker = MediaPipeLandmarker()
    image = skimage.data.astronaut()
    (face,) = landmarker.detect(image)
    followed = landmarker.follow(np.roll(image, 6, axis=1), face)
    boxed = landmarker.detect_in_box(image, face.box)
    assert followed is not None and boxed is not None
    return [face.points, followed.points, boxed.points, np.array([face.score, followed.score])]


def insightface_points(folder: Path) -> Outputs:
    landmarker = InsightFaceLandmarker(model_files(write_models(folder, tilt_106=9.0)), "cpu")
    drawn = Drawn(300, 260, 120, score=220, half_box=70)
    faces = landmarker.detect(draw(480, 640, drawn))
    moved = draw(480, 640, Drawn(306, 255, 126))
    followed = landmarker.follow(moved, faces[0])
    boxed = landmarker.detect_in_box(moved, (240.0, 180.0, 380.0, 330.0))
    assert followed is not None and boxed is not None
    return [face.points for face in (*faces, followed, boxed)]


def xpose_points(folder: Path) -> Outputs:
    """A tiny network on a picture that is resized; the pictures' own preparation shows in the points."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = load_xpose(seeded_checkpoint("test", TINY), "seeded", TINY)[0]
        detector = XPoseDetector(model, seeded_prompts(9), min_score=0.0, max_overlap=0.5)
        faces = detector.detect(portrait()[:200])
    finally:
        torch.set_num_threads(before)
    return [np.concatenate([face.points.ravel(), [100 * face.score]]) for face in faces[:1]]


def other_than_the_engine(folder: Path) -> Outputs:
    """Crops, paste-back, comparison and encoder: what videos are made of besides the engine."""
    image = np.ascontiguousarray(skimage.data.astronaut()[:400, :501])
    framing = SourceFraming(max_dim=300, scale=2.1, vx=0.05, vy=-0.1)
    limited = framing.limit(image)
    points = face_points(10, 0.5) * 0.25 + (60, 20, 0)
    matrix = framing.matrix(points, FRAME_SIZE)
    crop = framing.cut(limited, matrix, FRAME_SIZE, 200)  # by area is as bilinear at one half
    driving = DrivingFraming(scale=1.9).place(points[None], *limited.shape[1::-1], CROP_SIZE).cut(limited)
    frame = cv2.resize(255 - crop, (FRAME_SIZE, FRAME_SIZE), interpolation=cv2.INTER_LINEAR)
    pasted = limited.copy()
    PasteBack(limited.shape[:2], invert(matrix)).blend(frame, pasted)
    compared = side_by_side([driving, crop, frame], FRAME_SIZE)
    encode_segment(folder / "made.mp4", [pasted] * 3, Fraction(25), 20, "veryfast")
    decoded = list(open_footage(folder / "made.mp4", Limits()).frames())
    return [matrix, crop, driving, pasted, compared[::4, ::4], *decoded]


def template_form(folder: Path) -> Outputs:
    """Names in the header, and the types and shapes of the members."""
    motion = {"scale": np.zeros((2, 1), np.float32), "exp": np.zeros((2, 21, 3), np.float32)}
    template(folder, "liveportrait", motion).close()
    (path,) = folder.iterdir()
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name).partition(b"\n")[0].decode("latin-1") for name in archive.namelist()}
        header = json.loads(archive.read("header.npy").partition(b"\n")[2])
    return json.dumps([sorted(header), sorted(members), members["exp.npy"]])


def lock_form(folder: Path) -> Outputs:
    """What the lock of a weight store holds."""
    store = WeightStore(str(folder))
    entry = LockEntry("0" * 64, 3, "source", "1" * 64, 4, "unpinned", "licence")
    store.write(iter([("human/F.safetensors", b"abc", entry)]))
    return (folder / "lock.json").read_text()


def summary_form(folder: Path) -> Outputs:
    """Names and kinds in a run's summary."""
    settings = Settings(str(folder), str(folder), EngineSpec("preview"))
    made = json.loads(describe_run(settings, "preview", datetime.now(UTC), Summary({"done": 1}), "complete"))
    return json.dumps(_kinds(made), sort_keys=True)


def _kinds(value: Any) -> Any:
    return {key: _kinds(inner) for key, inner in value.items()} if isinstance(value, Mapping) else type(value).__name__


def identity_embedding(folder: Path) -> Outputs:
    """The carried network on two chips, one of them upside down."""
    chip = cv2.resize(portrait(), (150, 150), interpolation=cv2.INTER_AREA)
    return list(IdentityNetwork()(np.stack([chip, chip[::-1]])))


def tracks_of_a_driving(folder: Path) -> Outputs:
    """A face that moves through four frames, the third of which repeats the second."""
    image = skimage.data.astronaut()
    frames = [np.roll(image, shift, axis=1)[:400] for shift in (0, 6, 6, 12)]
    encode_segment(folder / "driving.mp4", frames, Fraction(25), 12, "veryfast")
    found = _of_clip(open_footage(folder / "driving.mp4", Limits()), "large-small", models_here())
    tracks = found.tracks
    return [
        tracks.angles,
        tracks.eyes,
        tracks.lips,
        tracks.rigid,
        tracks.boxes,
        found.blendshapes,
        9.0 * found.repeated,
    ]


def labels_form(folder: Path) -> Outputs:
    """Types of columns of each kind in a file of labels, and what its metadata tells. A further column is no change."""
    kinds = ("face_present", "face_box", "landmarks", "gaze", "driving_frame")
    arrays = {name: np.zeros((2, *BY_NAME[name].shape), BY_NAME[name].numpy) for name in kinds}
    write_labels(folder / "l.parquet", Labels("0" * 32, 2, Fraction(25), 4, 4, 0, 1, {}, arrays))
    schema = pq.read_schema(folder / "l.parquet")
    return json.dumps([str(schema.remove_metadata()), schema.metadata[b"lp_ray.labels"].decode()])


def curves_of_a_performance(folder: Path) -> Outputs:
    """Both interpolations between a few keys, as a template holds them, and an edit on top."""
    keys = {"head_yaw": Keys(np.array([0.0, 0.3, 0.9]), np.array([0.0, 20.0, -5.0]))}
    keys["lip_ratio"] = Keys(np.array([0.1, 0.2]), np.array([0.1, 0.5]))
    found: list[NDArray[Any]] = []
    for how in INTERPOLATIONS:
        made = Performance(30, Fraction(30), keys, how)
        found += frames_of(made, 0, 30).values()
        found += asked(combined(made.sample(0, 30), {"head_yaw": 10.0, "smile": 0.5}), 30).values()
    return [np.nan_to_num(rows, nan=-1.0) for rows in found]


OUTPUTS: dict[str, Callable[[Path], Outputs]] = {
    "lp_ray.engine.preview.engine.OUTPUT_VERSION": preview_frames,
    "lp_ray.engine.liveportrait.engine.OUTPUT_VERSION": liveportrait_frames,
    "lp_ray.engine.liveportrait.weights.seeded.RECIPE_VERSION": seeded_recipe,
    "lp_ray.face.mediapipe.landmarker.CODE_VERSION": mediapipe_points,
    "lp_ray.face.insightface.identity.CODE_VERSION": insightface_points,
    "lp_ray.face.xpose.identity.CODE_VERSION": xpose_points,
    "lp_ray.face.identity.network.CODE_VERSION": identity_embedding,
    "lp_ray.stages.measuring.driving.VERSION": tracks_of_a_driving,
    "lp_ray.plan.keys.OUTPUT_VERSION": other_than_the_engine,
    "lp_ray.motion.performed.VERSION": curves_of_a_performance,
    "lp_ray.motion.template.FORMAT_VERSION": template_form,
    "lp_ray.labels.file.FORMAT_VERSION": labels_form,
    "lp_ray.models.store.FORMAT_VERSION": lock_form,
    "lp_ray.report.summary.FORMAT_VERSION": summary_form,
}


def fingerprint(outputs: Outputs) -> Fingerprint:
    """Return the entry for outputs in the table of `test_fingerprints`: a hash, or numbers for each array."""
    if isinstance(outputs, str):
        return hashlib.sha256(outputs.encode()).hexdigest()[:16]
    kinds = {PICTURES: [a for a in outputs if a.dtype == np.uint8], FLOATS: [a for a in outputs if a.dtype != np.uint8]}
    return {kind: summary(arrays) for kind, arrays in kinds.items() if arrays}
