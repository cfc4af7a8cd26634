"""What a pair was asked to show: written per chunk by the stage `write`, read again when the video is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.contract.edits import HEAD
from lp_ray.contract.options import PairOptions, edits_of
from lp_ray.face.crop import invert
from lp_ray.labels.asked import turns_in_picture
from lp_ray.labels.table import ASKED
from lp_ray.output.layout import OutputLayout
from lp_ray.plan.work import PairWork
from lp_ray.stages.rows import AnimatedChunk

_TO_CROP, _FACT = "to_crop", "fact."
ROTATION = "rotation"
"""The fact that tells the turn of the head: see `lp_ray.labels.asked`."""

Rows = dict[str, NDArray[Any]]


def write_asked(path: Path, chunk: AnimatedChunk) -> None:
    """Write the engine's facts of a chunk and where its crops lie: faces x n x ... each."""
    placed = chunk.to_crop if chunk.work.source.is_video else np.repeat(chunk.to_crop, chunk.n_frames, 1)
    arrays = {_TO_CROP: placed, **{_FACT + name: rows for name, rows in chunk.frame_facts.items()}}
    safetensors.numpy.save_file({name: np.ascontiguousarray(rows) for name, rows in arrays.items()}, path)


class Asked:
    """The staged facts of one pair, read chunk by chunk. Of several faces, those of the one that is labelled."""

    def __init__(self, layout: OutputLayout, work: PairWork) -> None:
        self._layout, self._work = layout, work
        self._index, self._part = -1, Rows()
        first = self._chunk(0)[_TO_CROP][:, 0]
        sizes = np.abs(np.linalg.det(first[:, :, :2]))
        self.face, self.n_faces = int(sizes.argmin()), len(first)
        """The largest face: its crop shrinks the picture most."""

    def to_crop(self, frames: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the matrices from the source's picture to the crop, n x 2 x 3, of frames of the pair."""
        return self._rows(frames)[_TO_CROP].astype(np.float64)

    def crop_to_picture(self, frames: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the matrices from the crop to the video, n x 2 x 3; without paste-back, the video is the crop."""
        if not self._work.options.paste_back:
            return np.repeat(np.eye(2, 3)[None], len(frames), 0)
        return np.stack([invert(matrix) for matrix in self.to_crop(frames)])

    def facts(self, frames: NDArray[np.intp]) -> Rows:
        """Return the engine's facts of frames, n x ... each."""
        rows = self._rows(frames)
        return {name.removeprefix(_FACT): rows[name] for name in rows if name.startswith(_FACT)}

    def turns(self, frames: NDArray[np.intp]) -> NDArray[np.float64] | None:
        """Return the turns asked for, in the picture, n x 3 x 3; None if the engine does not tell them."""
        facts = self.facts(frames)
        if ROTATION not in facts or facts[ROTATION].shape[1:] != (3, 3):
            return None
        return turns_in_picture(facts[ROTATION], self.crop_to_picture(frames))

    def columns(self, frames: NDArray[np.intp]) -> Rows:
        """Return the columns of the labels that come from the facts alone."""
        return {
            "crop_to_picture": self.crop_to_picture(frames).astype(np.float32),
            **{ASKED + name: np.asarray(rows) for name, rows in self.facts(frames).items()},
        }

    def _rows(self, frames: NDArray[np.intp]) -> Rows:
        """Return the rows of frames, ascending, from all chunks that they lie in."""
        chunks = frames // self._work.chunk
        parts = []
        for index in np.unique(chunks).tolist():
            at = frames[chunks == index] - index * self._work.chunk
            parts.append({name: rows[self.face, at] for name, rows in self._chunk(index).items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _chunk(self, index: int) -> Rows:
        if index != self._index:
            data = storage.read_bytes(self._layout.asked_part(self._work.pair_id, index))
            self._index, self._part = index, safetensors.numpy.load(data)
        return self._part


def moves(options: PairOptions) -> dict[str, bool]:
    """Return whether a pair's options let the driving move lips and eyes, and the whole expression as it is.

    What an edit sets on its own is not the driving's; what it adds leaves the driving's movement to be followed, but is
    another expression than the driving's.
    """
    region, edited = options.animation_region, edits_of(options).keys()
    alone = options.flag_relative_motion and (options.flag_eye_retargeting or options.flag_lip_retargeting)
    whole = region in ("all", "exp") and not alone
    lips = (whole or region == "lip" or options.flag_lip_retargeting) and options.weight_lip > 0
    eyes = (whole or region == "eyes" or options.flag_eye_retargeting) and options.weight_eyes > 0
    as_it_is = options.weight_lip == options.weight_eyes == options.weight_exp == 1
    return {
        "lips": lips and "lip_ratio" not in edited,
        "eyes": eyes and not edited & {"eye_ratio", "blink"},
        "expression": whole and as_it_is and edited <= HEAD,
    }
