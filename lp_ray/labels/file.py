"""The file of a pair's labels: Parquet with a single row, whose list columns have one entry per frame.

Landmarks are stored as offsets from the middle of the frame's `face_box`, because float16 would round places beyond
1024 pixels to whole ones. `unpack` adds the middle back.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lp_ray.face.mediapipe.blendshapes import NAMES
from lp_ray.labels.table import BY_NAME, COLUMNS

FORMAT_VERSION = 1
"""Raise this with every change that an older reader would misread."""

SUFFIX = ".parquet"
_METADATA = b"lp_ray.labels"
_LANDMARKS, _BOX = "landmarks", "face_box"


@dataclass(frozen=True)
class Labels:
    """The labels of one pair. `labels[name]` is an array of n_frames x (shape of a frame), see docs/labels.md.

    NaN: not known in this frame. A name that is not in `names` was not measured on this pair. `fps` is None for a
    still. `face` is the number of the labelled face among the `n_faces` animated ones, from left to right.
    """

    pair_id: str
    n_frames: int
    fps: Fraction | None
    width: int
    height: int
    face: int
    n_faces: int
    made_by: dict[str, Any]
    """What they were made by: versions of the package and models, and the engine."""
    arrays: dict[str, NDArray[Any]]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that this pair has."""
        return tuple(self.arrays)

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name]

    def blendshape(self, name: str) -> NDArray[np.float32]:
        """Return one coefficient by its name, such as "jawOpen", in all frames. Raises KeyError for another name."""
        if name not in NAMES:
            raise KeyError(f"{name}: no such blendshape (they are {', '.join(NAMES)})")
        curve: NDArray[np.float32] = self.arrays["blendshapes"][:, NAMES.index(name)]
        return curve


def packed(landmarks: NDArray[np.floating], boxes: NDArray[np.floating]) -> NDArray[np.float16]:
    """Return landmarks (n x 478 x 3, pixels) as they are stored: x and y from the middles of boxes (n x 4)."""
    offsets = np.array(landmarks, np.float32)
    offsets[..., :2] -= _middles(boxes)
    return offsets.astype(np.float16)


def _middles(boxes: NDArray[np.floating]) -> NDArray[np.float32]:
    return ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(np.float32)[:, None]


def write_labels(path: Path, labels: Labels) -> None:
    """Write the labels of a pair. Of `labels`, landmarks are `packed` already.

    The same labels give the same bytes. Raises ValueError for an array of another length than n_frames.
    """
    if wrong := [name for name, rows in labels.arrays.items() if len(rows) != labels.n_frames]:
        raise ValueError(f"{wrong[0]}: {len(labels.arrays[wrong[0]])} rows for {labels.n_frames} frames")
    fps = labels.fps
    columns: dict[str, pa.Array] = {
        "pair_id": pa.array([labels.pair_id]),
        "n_frames": pa.array([labels.n_frames], pa.int64()),
        "fps_numerator": pa.array([fps and fps.numerator], pa.int64()),
        "fps_denominator": pa.array([fps and fps.denominator], pa.int64()),
        **{name: pa.array([getattr(labels, name)], pa.int32()) for name in ("width", "height", "face", "n_faces")},
    }
    named = [name for name in BY_NAME if name in labels.arrays]
    for name in [*named, *sorted(labels.arrays.keys() - BY_NAME.keys())]:
        columns[name] = _list(labels.arrays[name])
    shapes = {name: list(rows.shape[1:]) for name, rows in labels.arrays.items()}
    about = {
        "format": FORMAT_VERSION,
        "fps": None if fps is None else str(fps),
        "shapes": dict(sorted(shapes.items())),
        "units": {column.name: column.unit for column in COLUMNS if column.name in shapes},
        "blendshapes": list(NAMES),
        "landmarks": "offsets from the middle of face_box",
        **labels.made_by,
    }
    table = pa.table(columns).replace_schema_metadata({_METADATA: json.dumps(about)})
    floats = {name for name in columns if name in shapes and labels.arrays[name].dtype.kind == "f"}
    leaves = [column.path for column in map(_schema(table).column, range(len(_schema(table).names)))]
    split = [leaf for leaf in leaves if leaf.partition(".")[0] in floats]
    pq.write_table(table, path, compression="zstd", use_dictionary=False, use_byte_stream_split=split)


def read_labels_file(file: BinaryIO | Path) -> Labels:
    """Read the labels of a pair; landmarks are in pixels of the video, float32.

    Raises ValueError for a file that is not one of labels, is damaged, or of a newer format, and OSError for one that
    cannot be read.
    """
    opened = io.BytesIO(file.read_bytes()) if isinstance(file, Path) else file
    try:
        return _labels(opened)
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"damaged: {error}") from error  # Arrow's own, on pages that cannot be unpacked
    except (LookupError, TypeError, AttributeError, ArithmeticError, pa.ArrowException) as error:
        raise ValueError(f"damaged: {type(error).__name__}: {error}") from error


def _labels(file: BinaryIO) -> Labels:
    table = pq.read_table(file)
    said = (table.schema.metadata or {}).get(_METADATA)
    if said is None or table.num_rows != 1:
        raise ValueError("not a file of labels")
    about = json.loads(said)
    if about["format"] > FORMAT_VERSION:
        raise ValueError(f"labels of format {about['format']}, this version reads {FORMAT_VERSION}: update lp_ray")
    row = {name: table[name][0].as_py() for name in table.column_names if name not in about["shapes"]}
    arrays = {name: _rows(table[name], shape) for name, shape in about["shapes"].items()}
    arrays = {name: arrays[name] for name in table.column_names if name in arrays}
    if wrong := [name for name, rows in arrays.items() if len(rows) != row["n_frames"]]:
        raise ValueError(f"damaged: {wrong[0]} has {len(arrays[wrong[0]])} rows for {row['n_frames']} frames")
    if _LANDMARKS in arrays:
        whole = arrays[_LANDMARKS].astype(np.float32)
        whole[..., :2] += _middles(arrays[_BOX])
        arrays[_LANDMARKS] = whole
    rate = row["fps_numerator"]
    return Labels(
        row["pair_id"],
        row["n_frames"],
        None if rate is None else Fraction(rate, row["fps_denominator"]),
        row["width"],
        row["height"],
        row["face"],
        row["n_faces"],
        {name: value for name, value in about.items() if name not in ("shapes", "units", "fps")},
        arrays,
    )


def _schema(table: pa.Table) -> Any:
    sink = pa.BufferOutputStream()
    pq.write_table(table.slice(0, 0), sink)
    return pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema


def _list(rows: NDArray[Any]) -> pa.Array:
    """Return an array of n rows as a list of one entry, without copying: n values, or n lists of a fixed size."""
    flat = pa.array(rows.reshape(-1))
    values = pa.FixedSizeListArray.from_arrays(flat, int(np.prod(rows.shape[1:]))) if rows.ndim > 1 else flat
    return pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), values)


def _rows(column: pa.ChunkedArray, shape: list[int]) -> NDArray[Any]:
    values = column.combine_chunks().flatten()
    flat = values.flatten() if shape else values
    return np.array(flat.to_numpy(zero_copy_only=False)).reshape(len(values), *shape)
