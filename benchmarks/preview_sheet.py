"""Contact sheets of the preview engine: what a user would see.

    python benchmarks/preview_sheet.py OUTPUT_FOLDER MEDIA_FOLDER

Writes one sheet for each driving (a row of driving frames over a row for each source) and one of head poses.
The media folder holds source/*.jpg and driving/*.mp4; the astronaut comes from scikit-image.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from lp_ray.acting import PERFORMANCES, Curves, curves, perform
from lp_ray.base.arrays import Image
from lp_ray.contract.options import PairOptions
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.preview.source import PreparedSource
from lp_ray.engine.protocol import FRAME_SIZE, PairMotion, SourceCrops, Span
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.portrait import crop_portrait
from lp_ray.face.track import fill_gaps, track_clip
from lp_ray.motion.template import MotionFrames, TemplateHeader, TemplateReader, write_template

SOURCES = ("s0", "s3", "s5", "s6", "s7", "s9", "s12")
DRIVINGS = ("d0", "d3", "d6", "d10")
N_FRAMES = 90
TILE = 192
POSES = {
    "yaw": (-40.0, -25.0, -15.0, 15.0, 25.0, 40.0),
    "pitch": (-25.0, -12.0, 12.0, 25.0),
    "roll": (-30.0, 15.0, 30.0),
}
"""Degrees asked for, some beyond the limits."""


@dataclass(frozen=True)
class Driving:
    """A clip: frames to show (square, small), their motion, and the numbers of the frames on the sheet."""

    name: str
    thumbnails: list[Image]
    motion: MotionFrames
    shown: list[int]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("output", type=Path)
    arguments.add_argument("media", type=Path)
    given = arguments.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    engine, landmarker = PreviewEngine(), MediaPipeLandmarker()
    sources = {name: engine.prepare(crop)[0] for name, crop in read_sources(given.media, landmarker)}
    began = time.perf_counter()
    rows = [pose_row(source) for source in sources.values()]
    print(f"{(time.perf_counter() - began) / (len(rows) * (len(rows[0]) - 1)) * 1e3:.0f} ms a frame, one thread")
    write(given.output / "poses.jpg", rows)
    for driving in drivings(given.media, engine, landmarker, sources["astronaut"]):
        rows = [driving_row(engine, source, driving, given.output) for source in sources.values()]
        top = [driving.thumbnails[i] for i in driving.shown]
        write(given.output / f"{driving.name}.jpg", [top, *rows])


def read_sources(media: Path, landmarker: MediaPipeLandmarker) -> Iterator[tuple[str, SourceCrops]]:
    """The astronaut, then the portraits of the media folder, cropped."""
    pictures = {"astronaut": skimage.data.astronaut()}
    pictures |= {name: read_image(media / "source" / f"{name}.jpg") for name in SOURCES}
    for name, picture in pictures.items():
        portrait = crop_portrait(picture, landmarker, "large-small", None, SourceFraming(), FRAME_SIZE)
        yield name, SourceCrops(portrait.crop[None], portrait.points[None])


def read_image(path: Path) -> Image:
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"no picture at {path}")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def drivings(
    media: Path, engine: PreviewEngine, landmarker: MediaPipeLandmarker, actor: PreparedSource
) -> Iterator[Driving]:
    """Clips of the media folder (their first seconds), then the astronaut performing."""
    for name in DRIVINGS:
        frames = read_clip(media / "driving" / f"{name}.mp4")
        yield track(name, frames, engine, landmarker)
    for name in PERFORMANCES:
        asked: Curves = curves(name, 2 * N_FRAMES, Fraction(25))
        yield track(f"performance_{name}", list(perform(actor, asked)), engine, landmarker)


def read_clip(path: Path) -> list[Image]:
    clip = cv2.VideoCapture(str(path))
    frames: list[Image] = []
    while len(frames) < N_FRAMES:
        good, frame = clip.read()
        if not good:
            break
        frames.append(np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8))
    if not frames:
        raise SystemExit(f"no frames in {path}")
    return frames


def track(name: str, frames: list[Image], engine: PreviewEngine, landmarker: MediaPipeLandmarker) -> Driving:
    """Follow the face through the clip and choose frames that show its range."""
    tracked = fill_gaps(track_clip(frames, landmarker, "large-small"), [])
    motion = engine.extract(None, np.array([frame.points for frame in tracked]))
    forward = motion["rotation"] @ np.array([0, 0, 1], np.float32)
    lips, eyes = motion["lip_ratio"][:, 0], motion["eye_ratio"].mean(1)
    across, up = forward[:, 0], forward[:, 1]
    extremes = [across.argmin(), across.argmax(), up.argmin(), up.argmax(), lips.argmax(), eyes.argmin()]
    shown = [0, *(int(i) for i in extremes), len(frames) // 3, len(frames) // 2]
    return Driving(name, [small(frame) for frame in frames], motion, shown)


def driving_row(engine: PreviewEngine, source: PreparedSource, driving: Driving, folder: Path) -> list[Image]:
    """The shown frames of one driving on one source, by way of a template file as in a job."""
    path = folder / "template.npz"
    n = len(driving.motion["scale"])
    header = TemplateHeader(engine.name, engine.digest, "sheet", 25, 1, n)
    write_template(path, header, [driving.motion])
    template = TemplateReader(path)
    row = []
    for i in driving.shown:
        direction = engine.direct(PairMotion(template, np.arange(n)), PairOptions())
        (made,) = engine.animate([source], direction, Span(i, i + 1, 1))
        row.append(small(made.images[0]))
    path.unlink()
    return row


def pose_row(source: PreparedSource) -> list[Image]:
    """The source as it is, then turned by each of `POSES`."""
    asked = [(name, angle) for name, angles in POSES.items() for angle in angles]
    flat = {name: np.zeros(len(asked)) for name in ("yaw", "pitch", "roll", "jaw", "blink", "smile", "brow")}
    for i, (name, angle) in enumerate(asked):
        flat[name][i] = angle
    return [small(source.image), *(small(f) for f in perform(source, Curves("poses", Fraction(25), **flat)))]


def small(picture: Image) -> Image:
    """The middle square of a picture, TILE x TILE."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = picture[top : top + side, left : left + side]
    return np.asarray(cv2.resize(middle, (TILE, TILE), interpolation=cv2.INTER_AREA), np.uint8)


def write(path: Path, rows: list[list[Image]]) -> None:
    sheet: NDArray[np.uint8] = np.vstack([np.hstack(row) for row in rows])
    cv2.imwrite(str(path), np.ascontiguousarray(sheet[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(path)


if __name__ == "__main__":
    main()
