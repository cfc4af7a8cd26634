"""Film a performance as an mp4, from an actor's portrait, a performance's name and a frame rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from lp_ray.acting.curves import Curves, curves
from lp_ray.acting.perform import perform
from lp_ray.acting.voice import sound_track
from lp_ray.base.arrays import Image
from lp_ray.engine.preview.engine import PreviewEngine
from lp_ray.engine.protocol import FRAME_SIZE, SourceCrops
from lp_ray.face.framing import SourceFraming
from lp_ray.face.mediapipe.landmarker import MediaPipeLandmarker
from lp_ray.face.portrait import crop_portrait
from lp_ray.media.encode import encode_segment
from lp_ray.media.sound import add_sound

CRF = 14
"""Nearly lossless, because a performance is tracked afterwards."""

SAMPLE_RATE = 48000

LARGEST = "large-small"
"""The rule that chooses the largest face of a picture."""


def film_performance(
    path: Path, name: str, actor: Image, fps: Fraction, n_frames: int, sound: bool, face: str = LARGEST
) -> Curves:
    """Let a face in `actor` (H x W x 3) perform, by default the largest. Write the mp4 and return the curves that the
    face followed.

    Raises NoFaceError if the picture has no such face, RefusedError for an unknown performance.
    """
    framing = SourceFraming(repeat_border=True)
    portrait = crop_portrait(actor, MediaPipeLandmarker(), face, None, framing, FRAME_SIZE)
    (prepared,) = PreviewEngine().prepare(SourceCrops(portrait.crop[None], portrait.points[None]))
    followed = curves(name, n_frames, fps)
    with TemporaryDirectory(dir=path.parent) as folder:
        silent = Path(folder) / "silent.mp4"
        encode_segment(silent, perform(prepared, followed), fps, CRF, "veryfast")
        if sound:
            voiced = Path(folder) / "voiced.mp4"
            add_sound(silent, sound_track(followed, SAMPLE_RATE), SAMPLE_RATE, voiced)
            silent = voiced
        silent.replace(path)
    return followed
