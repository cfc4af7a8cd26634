"""Labels of a pair as they go into an export: arrays with their shapes, without pickles, the same bytes every time."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray import storage
from lp_ray.base.errors import StoppedError
from lp_ray.dataset.labels import as_npz, read_pair_labels
from lp_ray.labels.file import Labels, packed, write_labels


def test_a_pairs_labels_become_arrays_of_their_shapes(tmp_path: Path) -> None:
    """Landmarks are in pixels of the video again, however far from its corner."""
    boxes = np.tile(np.array([1000, 0, 3000, 50], np.float32), (3, 1))
    points = np.random.default_rng(1).uniform(0, 60, (3, 478, 3)).astype(np.float32) + np.array(
        [2000, 0, 0], np.float32
    )
    arrays = {"face_box": boxes, "landmarks": packed(points, boxes), "lip_ratio": np.array([0, np.nan, 1], np.float32)}
    write_labels(tmp_path / "a.parquet", Labels("p", 3, Fraction(25), 4000, 100, 0, 1, {}, arrays))
    labels = read_pair_labels(storage.normalise(str(tmp_path / "a.parquet")))
    assert as_npz(labels) == as_npz(labels)
    with np.load(io.BytesIO(as_npz(labels)), allow_pickle=False) as read:
        assert set(read.files) == set(arrays)
        assert np.allclose(read["landmarks"], points, atol=0.5)
        assert np.array_equal(read["lip_ratio"], arrays["lip_ratio"], equal_nan=True)
        assert read["face_box"].shape == (3, 4)


def test_labels_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    uri = storage.normalise(str(tmp_path / "a.parquet"))
    with pytest.raises(StoppedError, match=r"a\.parquet is missing"):
        read_pair_labels(uri)
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(StoppedError, match=r"a\.parquet is damaged"):
        read_pair_labels(uri)
    pq.write_table(pa.table({"yaw": [[1.0], [2.0]]}), tmp_path / "a.parquet")
    with pytest.raises(StoppedError, match="not a file of labels"):
        read_pair_labels(uri)
