"""Labels of a pair as arrays: whatever lists a Parquet file holds, without pickles, the same bytes every time."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray import storage
from lp_ray.base.errors import StoppedError
from lp_ray.dataset.labels import as_arrays, as_npz, read_labels_table


def test_lists_become_arrays_with_their_shape_and_type() -> None:
    points = np.arange(4 * 3 * 2, dtype=np.float16).reshape(4, 3, 2)
    halves = pa.array([points.tolist()], pa.list_(pa.list_(pa.list_(pa.float16(), 2))))
    table = pa.table(
        {
            "points": halves,
            "yaw": pa.array([[1.0, None, 3.0, 4.0]], pa.list_(pa.float32())),
            "present": [[True, False, True, True]],
            "box": pa.array([[{"x": 1, "y": 2}] * 4]),
            "faces": [[[1.0], [], [2.0, 3.0], [4.0]]],
            "names": [["a", "b"]],
            "fps": [25],
        }
    )
    found = as_arrays(table)
    assert found["points"].dtype == np.float16 and np.array_equal(found["points"], points)
    assert found["yaw"].dtype == np.float32 and np.isnan(found["yaw"][1])
    assert found["present"].dtype == np.bool_ and found["present"].tolist() == [True, False, True, True]
    assert found["box.x"].tolist() == [1] * 4 and found["box.y"].tolist() == [2] * 4
    assert found["faces"].tolist() == [1, 2, 3, 4] and found["faces.lengths"].tolist() == [1, 0, 2, 1]
    assert found["names"].tolist() == ["a", "b"] and found["fps"] == 25
    assert as_npz(table) == as_npz(table)
    with np.load(io.BytesIO(as_npz(table)), allow_pickle=False) as read:
        for name, values in found.items():
            assert np.array_equal(read[name], values, equal_nan=values.dtype.kind == "f")


def test_what_a_file_says_of_its_labels_is_heeded() -> None:
    """Shapes of a frame, and landmarks that are stored from the middle of the face's box: 16 bits hold no far place."""
    offsets = np.arange(3 * 2 * 3, dtype=np.float16).reshape(3, 2, 3)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(offsets.reshape(-1)), 6)
    boxes = pa.array([[[1000.0, 0.0, 3000.0, 50.0]] * 3], pa.list_(pa.list_(pa.float32(), 4)))
    table = pa.table({"landmarks": pa.ListArray.from_arrays(pa.array([0, 3], pa.int32()), flat), "face_box": boxes})
    about = {"shapes": {"landmarks": [2, 3], "face_box": [4]}, "landmarks": "offsets from the middle of face_box"}
    found = as_arrays(table.replace_schema_metadata({b"lp_ray.labels": json.dumps(about)}))
    assert found["landmarks"].dtype == np.float32 and found["face_box"].shape == (3, 4)
    assert np.array_equal(found["landmarks"], offsets.astype(np.float32) + np.array([2000, 25, 0]))


def test_labels_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    uri = storage.normalise(str(tmp_path / "a.parquet"))
    with pytest.raises(StoppedError, match=r"a\.parquet is missing"):
        read_labels_table(uri)
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(StoppedError, match=r"a\.parquet is damaged"):
        read_labels_table(uri)
    pq.write_table(pa.table({"yaw": [[1.0], [2.0]]}), tmp_path / "a.parquet")
    with pytest.raises(StoppedError, match="has 2 rows"):
        read_labels_table(uri)
