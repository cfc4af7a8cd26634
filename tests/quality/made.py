"""A result that is its own driving, and the same with one thing wrong with it: what metrics are judged on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from lp_ray.face.identity import IdentityNetwork, align
from lp_ray.face.paste_back import PasteBack
from lp_ray.quality.identity import frames_to_embed
from lp_ray.quality.motion import Asked
from lp_ray.quality.pair import Expected, Measured, PairMeter
from lp_ray.quality.tracks import FaceTracks, face_tracks

SIZE = 256
FPS = Fraction(30)
N = 60
SHIFT = 5
"""Frames of the clip before and after those of the result, so that a delayed result has frames to show."""

CROP = np.array([[0.42, 0, 20.0], [0, 0.42, 20.0]])
"""Where the crop is pasted back: a square of 215 of the picture's 256 pixels, its rim outside of the face."""

Row = dict[str, float | None]


@dataclass(frozen=True)
class Made:
    """A result of n frames: pictures n x H x W x 3, landmarks n x 478 x 3, blendshapes n x 52, faces n."""

    frames: NDArray[np.uint8]
    points: NDArray[np.float64]
    blendshapes: NDArray[np.float32]
    faces: NDArray[np.int_]

    def __len__(self) -> int:
        return len(self.frames)

    def take(self, index: NDArray[np.int_]) -> Made:
        return Made(self.frames[index], self.points[index], self.blendshapes[index], self.faces[index])

    def repainted(self, paint: Callable[[NDArray[np.uint8], int], NDArray[np.generic]]) -> Made:
        """The same with other pictures: `paint` takes one and its number."""
        painted = [np.clip(paint(frame, i), 0, 255).astype(np.uint8) for i, frame in enumerate(self.frames)]
        return replace(self, frames=np.stack(painted))

    def moved(self, matrices: NDArray[np.float64]) -> Made:
        """The same with every picture, and its landmarks, moved by a similarity (n x 2 x 3)."""
        frames, points = [], self.points.copy()
        for i, (frame, matrix) in enumerate(zip(self.frames, matrices, strict=True)):
            mode = cv2.BORDER_REPLICATE
            frames.append(cv2.warpAffine(frame, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA, borderMode=mode))
            points[i, :, :2] = points[i, :, :2] @ matrix[:, :2].T + matrix[:, 2]
            points[i, :, 2] *= np.sqrt(np.linalg.det(matrix[:, :2]))
        return replace(self, frames=np.stack(frames).astype(np.uint8), points=points)


class Bench:
    """Measures results against the clip that they should have followed."""

    def __init__(self, clip: Made, network: IdentityNetwork) -> None:
        """`clip` holds N frames, and SHIFT more at both ends."""
        self.clip, self.network = clip, network
        self.perfect = self.window(0)
        self.tracks = face_tracks(self.perfect.points, SIZE, SIZE)
        self.embedding = self.embeddings(self.perfect)[0]

    def window(self, late: int) -> Made:
        """Return the result that shows everything `late` frames late."""
        return self.clip.take(np.arange(SHIFT - late, SHIFT - late + N))

    def embeddings(self, made: Made) -> NDArray[np.float32]:
        chosen = frames_to_embed(len(made), "fast")
        return self.network(np.stack([align(made.frames[i], made.points[i]) for i in chosen]))

    def asked(self) -> Asked:
        loudness = np.sqrt(np.clip(self.tracks.lips, 0, None))
        return Asked(self.tracks.angles, self.tracks.lips, self.tracks.eyes, self.perfect.blendshapes, loudness)

    def meter(self) -> PairMeter:
        seen = self.perfect.frames[0], self.perfect.points[0]
        return PairMeter("full", FPS, self.embedding, seen, as_arcface(self.embedding))

    def row(self, made: Made, asked: Asked | None = None, embeddings: NDArray[np.float32] | None = None) -> Row:
        meter = self.meter()
        found = self.embeddings(made) if embeddings is None else embeddings
        self.add(meter, made, slice(0, len(made)), found, asked or self.asked())
        return meter.row()

    def add(
        self, meter: PairMeter, made: Made, at: slice, embeddings: NDArray[np.float32] | None, asked: Asked
    ) -> None:
        other = None if embeddings is None else as_arcface(embeddings)
        measured = Measured(made.frames[at], made.points[at], embeddings, made.blendshapes[at], made.faces[at], other)
        parts = [asked.angles, asked.lips, asked.eyes, asked.blendshapes, asked.loudness]
        expected = Expected(
            Asked(*(part[at] if part is not None else None for part in parts)),
            FaceTracks(*(getattr(self.tracks, name)[at] for name in ("angles", "eyes", "lips", "rigid", "boxes"))),
            None,
            self.perfect.frames[at],
            self.perfect.frames[at],
            CROP[None],
        )
        meter.add(measured, expected)


def as_arcface(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return embeddings (... x 128) in the size of ArcFace's (... x 512), of the same cosines."""
    return np.concatenate([embeddings] * 4, axis=-1)


def pasted(frame: NDArray[np.uint8], brighter: int) -> NDArray[np.uint8]:
    """Return a picture with its own crop pasted back, brighter near its rim: what a seam looks like."""
    crop = cv2.warpAffine(frame, cv2.invertAffineTransform(CROP), (512, 512), flags=cv2.INTER_LINEAR)
    band = np.full((512, 512, 1), brighter, np.int16)
    band[48:-48, 48:-48] = 0
    picture = frame.copy()
    PasteBack((SIZE, SIZE), CROP).blend(np.clip(crop + band, 0, 255).astype(np.uint8), picture)
    return picture
