"""Portraits, clips and templates made by code from pictures that packages carry. Loaded by `tests/conftest.py`.

Whatever a test does not have to prove on real material it proves on these, in every clone. Each file is made when a
test first asks for it, once for all processes of a run.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import cv2
import insightface
import numpy as np
import pytest
import skimage.data

from lp_ray.acting.curves import Curves, curves
from lp_ray.acting.film import film_performance
from lp_ray.acting.perform import perform
from lp_ray.acting.voice import sound_track
from lp_ray.base.arrays import Image
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.protocol import FRAME_SIZE, SourceCrops
from lp_ray.face.animal_track import LOOK_EVERY
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.portrait import crop_portrait
from lp_ray.media.encode import encode_segment
from lp_ray.media.sound import add_sound
from lp_ray.motion.keypoints import rotation
from lp_ray.motion.pickle_io import ENGINE, export_pickle
from lp_ray.motion.template import TemplateHeader
from tests.side_by_side import shared_folder

GROUP_PHOTO = Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"
TALK_FPS, NOD_FPS = Fraction(25), Fraction(30000, 1001)
TALK_FRAMES, NOD_FRAMES = 100, 90
SAMPLE_RATE = 48000

PORTRAIT_SIZE = (360, 480)
"""Width and height of `Generated.portrait`."""
FILM_SIZE, FILM_FPS, FILM_FRAMES = (240, 320), Fraction(25), 30
"""Of the source video `Generated.film`, which has sound."""
CLIP_SIDE, CLIP_FPS, CLIP_FRAMES = 256, Fraction(30), 45
"""Of the drivings `Generated.clip`, which has sound, and `Generated.silent_clip`, which has none."""
TEMPLATE_FPS, TEMPLATE_FRAMES = Fraction(30), 36
"""Of the reference's kind of template `Generated.template`."""
CAT_BOX = [115.0, 45.0, 290.0, 220.0]
"""The cat's face in `Generated.cat`, pixels."""


class Generated:
    """The files, in one folder that all processes of a run share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the file of that name; whoever comes first makes it, the others wait."""
        path = self._folder / name
        with (self._folder / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                half = path.with_name(f"half-{name}")
                make(half)
                half.rename(path)
        return path

    @cached_property
    def portrait(self) -> Path:
        """The astronaut, who looks at the camera and smiles."""
        return self.once("portrait.jpg", lambda path: write_jpeg(path, astronaut(*PORTRAIT_SIZE)))

    @cached_property
    def closed_mouth(self) -> Path:
        """Another person, turned to the side, her lips closed: one of insightface's group photo."""
        return self.once("closed mouth.jpg", lambda path: write_jpeg(path, second_of_the_group()))

    @cached_property
    def cat(self) -> Path:
        """Chelsea, scikit-image's cat."""
        return self.once("cat.jpg", lambda path: write_jpeg(path, skimage.data.chelsea()))

    @cached_property
    def cat_film(self) -> Path:
        """The cat, who leans and comes nearer: its face is in CAT_BOX at first. As long as X-Pose looks once."""

        def write(path: Path) -> None:
            cat = skimage.data.chelsea()[:, :450]
            turns = (cv2.getRotationMatrix2D((202, 132), 5 * np.sin(i / 8), 1 + i / 300) for i in range(LOOK_EVERY))
            moved = (cv2.warpAffine(cat, turn, (450, 300), borderMode=cv2.BORDER_REFLECT) for turn in turns)
            encode_segment(path, (np.asarray(frame, np.uint8) for frame in moved), FILM_FPS, 12, "veryfast")

        return self.once("cat.mp4", write)

    @cached_property
    def film(self) -> Path:
        """A source video with sound: the astronaut nods and shakes the head."""
        return self.once("film.mp4", lambda path: write_film(path, "nod_and_shake", FILM_SIZE, FILM_FPS, FILM_FRAMES))

    @cached_property
    def clip(self) -> Path:
        """A driving with sound: the astronaut talks."""
        size = (CLIP_SIDE, CLIP_SIDE)
        return self.once("clip.mp4", lambda path: write_film(path, "talk", size, CLIP_FPS, CLIP_FRAMES))

    @cached_property
    def silent_clip(self) -> Path:
        """The same without sound, by other curves, at 25 frames a second."""
        size = (CLIP_SIDE, CLIP_SIDE)
        return self.once(
            "silent clip.mp4",
            lambda path: write_film(path, "expressions", size, Fraction(25), CLIP_FRAMES, sound=False),
        )

    @cached_property
    def still(self) -> Path:
        """A driving picture: a frame of a performance, the mouth open."""
        return self.once("still.jpg", lambda path: write_jpeg(path, speaking()))

    @cached_property
    def template(self) -> Path:
        """A motion template as the reference writes them now."""
        return self.once("template.pkl", lambda path: path.write_bytes(nodding_template()))

    @cached_property
    def talk(self) -> Path:
        return self.once("talk.mp4", lambda path: _perform(path, "talk", TALK_FPS, TALK_FRAMES, sound=True))

    @cached_property
    def nod(self) -> Path:
        return self.once("nod.mp4", lambda path: _perform(path, "nod_and_shake", NOD_FPS, NOD_FRAMES, sound=False))


@dataclass(frozen=True)
class Performances:
    """Two filmed performances: `talk` with sound at 25 fps, `nod_and_shake` at 30000/1001."""

    talk: Path
    talk_curves: Curves
    nod: Path
    nod_curves: Curves


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Generated:
    """Portraits, clips and templates made by code."""
    folder = shared_folder(request.config, tmp_path_factory.getbasetemp()) / "generated"
    folder.mkdir(exist_ok=True)
    return Generated(folder)


@pytest.fixture(scope="session")
def performances(generated: Generated) -> Performances:
    return Performances(
        generated.talk,
        curves("talk", TALK_FRAMES, TALK_FPS),
        generated.nod,
        curves("nod_and_shake", NOD_FRAMES, NOD_FPS),
    )


def astronaut(width: int, height: int) -> Image:
    """Return the astronaut's head and shoulders, height x width x 3 RGB."""
    return _fitted(skimage.data.astronaut()[0:384, 80:368], width, height)


def second_of_the_group() -> Image:
    """Return the second face from the left of the group photo with what is around it, 480 x 360 x 3 RGB."""
    photo = cv2.cvtColor(cv2.imread(str(GROUP_PHOTO)), cv2.COLOR_BGR2RGB)
    face = sorted(MediaPipeLandmarker().detect(photo), key=lambda face: float(face.points[:, 0].mean()))[1]
    (x, y), side = face.points[:, :2].mean(0), float(np.ptp(face.points[:, 1]))
    left, top = int(x - 0.9 * side), int(y - 1.2 * side)
    return _fitted(photo[max(top, 0) : top + int(2.4 * side), max(left, 0) : left + int(1.8 * side)], 360, 480)


def speaking() -> Image:
    """Return the frame of a performance in which the mouth is open widest, 256 x 256 x 3 RGB."""
    followed = curves("talk", CLIP_FRAMES, CLIP_FPS)
    widest = int(np.argmax(followed.jaw))
    frame = next(frame for i, frame in enumerate(_frames(followed)) if i == widest)
    return _fitted(frame, CLIP_SIDE, CLIP_SIDE)


def write_jpeg(path: Path, picture: Image) -> None:
    """Write a picture as JPEG under any name, almost without loss."""
    data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    path.write_bytes(data.tobytes())


def write_film(path: Path, name: str, size: tuple[int, int], fps: Fraction, n_frames: int, sound: bool = True) -> None:
    """Film the astronaut's performance, as wide and as high as `size` says."""
    followed = curves(name, n_frames, fps)
    silent = path.with_name(f"silent-{path.name}")
    encode_segment(silent, (_framed(frame, *size) for frame in _frames(followed)), fps, 14, "veryfast")
    if sound:
        add_sound(silent, sound_track(followed, SAMPLE_RATE), SAMPLE_RATE, path)
        silent.unlink()
    else:
        silent.rename(path)


def nodding_template(fps: Fraction = TEMPLATE_FPS, seed: int = 7) -> bytes:
    """Return a template of the reference's kind: a head that nods, shakes and speaks, in plausible numbers."""
    followed, random = curves("nod_and_shake", TEMPLATE_FRAMES, fps), np.random.default_rng(seed)
    n = TEMPLATE_FRAMES
    waves = np.sin(np.linspace(0, 3 * np.pi, n))[:, None, None] * random.normal(0, 0.02, (1, 21, 3))
    turns = rotation(*(angle.astype(np.float32) for angle in (followed.pitch, followed.yaw, followed.roll)))
    motion = {
        "scale": np.full((n, 1), 1.3),
        "R": turns,
        "exp": waves,
        "t": np.zeros((n, 3)),
        "eye_ratio": np.full((n, 2), 0.35),
        "lip_ratio": 0.1 + 0.1 * np.abs(waves[:, 0, :1]),
    }
    header = TemplateHeader(ENGINE, "made", "made", fps.numerator, fps.denominator, n)
    return export_pickle(header, {name: np.asarray(rows, np.float32) for name, rows in motion.items()})


def _perform(path: Path, name: str, fps: Fraction, n_frames: int, sound: bool) -> None:
    film_performance(path, name, skimage.data.astronaut(), fps, n_frames, sound)


def _frames(followed: Curves) -> Iterator[Image]:
    """Yield the astronaut's crop performing, FRAME_SIZE x FRAME_SIZE x 3 RGB."""
    cropped = crop_portrait(
        skimage.data.astronaut(), MediaPipeLandmarker(), "large-small", None, SourceFraming(), FRAME_SIZE
    )
    (prepared,) = PreviewEngine().prepare(SourceCrops(cropped.crop[None], cropped.points[None]))
    return perform(prepared, followed)


def _framed(picture: Image, width: int, height: int) -> Image:
    """Lay a square picture into one of that size: as wide as it, grey above and below."""
    side = min(width, height)
    frame = np.full((height, width, 3), 90, np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    frame[top : top + side, left : left + side] = _fitted(picture, side, side)
    return frame


def _fitted(picture: Image, width: int, height: int) -> Image:
    interpolation = cv2.INTER_AREA if picture.shape[0] > height else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=interpolation), np.uint8)
