"""The table of all label columns, each declared once: shape of one frame, type, unit, level and meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lp_ray.contract.edits import CONTROLS
from lp_ray.face.mediapipe.networks import N_POINTS

Level = Literal["asked", "full"]

ASKED = "asked_"
"""What the names of columns begin with that hold what was asked for."""


@dataclass(frozen=True)
class Column:
    """One list column: a value of this shape per frame.

    `level` is the lowest level that has it. `engine` names the engine, if only one gives it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    unit: str
    level: Level
    meaning: str
    engine: str = ""

    @property
    def size(self) -> int:
        """How many numbers one frame has."""
        return math.prod(self.shape)

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The type of its numbers."""
        return np.dtype(self.dtype)


_F32 = "float32"
_POSE = "yaw, pitch, roll: to the picture's right, down, and leaning to the picture's left are positive"

COLUMNS: tuple[Column, ...] = (
    Column("face_present", (), "bool", "", "full", "whether the labelled face was found in the frame"),
    Column("face_box", (4,), _F32, "pixels", "full", "bounds of all landmarks: x0, y0, x1, y1"),
    Column(
        "landmarks", (N_POINTS, 3), "float16", "pixels", "full", "MediaPipe's points: x, y, and z away from the camera"
    ),
    Column("head_pose", (3,), _F32, "degrees", "full", _POSE),
    Column(
        "head_translation",
        (3,),
        _F32,
        "centimetres",
        "full",
        "the middle of the head from the camera: x right, y up, z towards the camera",
    ),
    Column("blendshapes", (52,), _F32, "coefficient", "full", "MediaPipe's, named as ARKit's (names below)"),
    Column("eye_ratios", (2,), _F32, "ratio", "full", "height over width of the eyes, left of the picture first"),
    Column("lip_ratio", (), _F32, "ratio", "full", "inner height over outer width of the lips"),
    Column(
        "gaze",
        (2, 2),
        _F32,
        "degrees",
        "full",
        "yaw and pitch of both eyes relative to the head, left of the picture first",
    ),
    Column(
        "sharpness", (), _F32, "ratio", "full", "spread of the face's Laplacian over that of its luma, at 256 pixels"
    ),
    Column("luminance", (), _F32, "grey levels", "full", "mean luma of the face's box, 0 to 255"),
    Column(
        "crop_to_picture", (2, 3), _F32, "pixels", "asked", "matrix from the 512 x 512 crop of the engine to the video"
    ),
    Column(
        "driving_frame", (), "int32", "frame", "asked", "the driving's frame, from its cut's first, that was followed"
    ),
    Column(
        "asked_eye_ratios",
        (2,),
        _F32,
        "ratio",
        "asked",
        "the driving's eye ratios in that frame, as its template holds them",
    ),
    Column("asked_lip_ratio", (), _F32, "ratio", "asked", "the driving's lip ratio in that frame"),
    Column("asked_turn", (3,), _F32, "degrees", "asked", "turn added to the source's own head pose: yaw, pitch, roll"),
    Column("asked_head_pose", (3,), _F32, "degrees", "full", "that turn after the source's measured head pose"),
    Column("asked_blendshapes", (52,), _F32, "coefficient", "full", "the source's, moved as the driving's have moved"),
    Column(
        "asked_rotation",
        (3, 3),
        _F32,
        "",
        "asked",
        "the turn as a matrix in the crop: x right, y up, z towards the camera",
    ),
    Column("asked_scale", (), _F32, "ratio", "asked", "size of the head over the source's"),
    Column("asked_shift", (3,), _F32, "crop pixels", "asked", "move of the head in the crop, y up", "preview"),
    Column("asked_expression", (21, 3), _F32, "", "asked", "deformation of the canonical keypoints", "liveportrait"),
    Column(
        "asked_keypoints",
        (21, 3),
        _F32,
        "",
        "asked",
        "driving keypoints, -1 to 1 over the crop, y down",
        "liveportrait",
    ),
    Column(
        "asked_controls",
        (len(CONTROLS),),
        _F32,
        "",
        "asked",
        "controls of the edit and the performance, in the order of docs/editing.md; NaN: the source's own ratio",
    ),
)
"""The columns of a labels file, in its order. Engines of other packages add `asked_<name>` for each of their facts."""

BY_NAME = {column.name: column for column in COLUMNS}


def markdown() -> str:
    """Return the table of columns for docs/labels.md."""
    lines = ["| column | shape of a frame | type | unit | labels= | what it is |", "|---|---|---|---|---|---|"]
    for column in COLUMNS:
        shape = " x ".join(map(str, column.shape)) or "1"
        only = f" (engine={column.engine})" if column.engine else ""
        level = "asked, full" if column.level == "asked" else "full"
        lines.append(
            f"| `{column.name}` | {shape} | {column.dtype} | {column.unit} | {level} | {column.meaning}{only} |"
        )
    return "\n".join(lines)
