"""A file of labels gives back what was written, and says what it is."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray.labels.file import Labels, packed, read_labels_file, write_labels
from lp_ray.labels.spool import Spool
from lp_ray.labels.table import COLUMNS, markdown
from tests.running import REPOSITORY

N = 5


def made(fps: Fraction | None = Fraction(30000, 1001), n: int = N) -> Labels:
    random = np.random.default_rng(1)
    arrays = {c.name: random.uniform(0, 500, (n, *c.shape)).astype(c.numpy) for c in COLUMNS}
    arrays["asked_of_a_plugin"] = random.normal(size=(n, 7)).astype(np.float64)
    return Labels("a" * 32, n, fps, 720, 1280, 1, 3, {"engine": "preview"}, arrays)


@pytest.mark.parametrize("labels", [made(), made(None, 1)])
def test_what_is_written_is_read(tmp_path: Path, labels: Labels) -> None:
    """Names, shapes, types and values, of columns that the table does not know too."""
    write_labels(tmp_path / "l.parquet", labels)
    read = read_labels_file(tmp_path / "l.parquet")
    assert (read.pair_id, read.n_frames, read.fps) == (labels.pair_id, labels.n_frames, labels.fps)
    assert (read.width, read.height, read.face, read.n_faces) == (720, 1280, 1, 3)
    assert read.made_by["engine"] == "preview" and set(read.names) == set(labels.names)
    for name in set(labels.names) - {"landmarks"}:
        assert read[name].dtype == labels[name].dtype and np.array_equal(read[name], labels[name]), name


def test_the_same_labels_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_labels(tmp_path / name, made())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_landmarks_come_back_in_pixels_of_the_video(tmp_path: Path) -> None:
    """To a fraction of a pixel at the far end of a large picture, where halves alone would round to whole pixels."""
    points = np.random.default_rng(2).uniform((3400, 1900, -90), (3700, 2150, 90), (N, 478, 3))
    boxes = np.concatenate([points[..., :2].min(1), points[..., :2].max(1)], 1).astype(np.float32)
    labels = made()
    labels.arrays.update(landmarks=packed(points, boxes), face_box=boxes)
    write_labels(tmp_path / "l.parquet", labels)
    assert np.abs(read_labels_file(tmp_path / "l.parquet")["landmarks"] - points).max() < 0.07


def test_any_reader_of_parquet_reads_it(tmp_path: Path) -> None:
    write_labels(tmp_path / "l.parquet", made())
    table = pq.read_table(tmp_path / "l.parquet")
    (row,) = table.to_pylist()
    assert len(row["lip_ratio"]) == len(row["head_pose"]) == N and len(row["blendshapes"][0]) == 52
    about = json.loads(table.schema.metadata[b"lp_ray.labels"])
    assert (
        about["shapes"]["gaze"] == [2, 2] and about["units"]["head_pose"] == "degrees" and about["fps"] == "30000/1001"
    )


def test_other_files_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"pair_id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="not a file of labels"):
        read_labels_file(tmp_path / "other.parquet")
    about = json.dumps({"format": 99, "shapes": {}})
    newer = pa.table({"pair_id": ["a"]}).replace_schema_metadata({b"lp_ray.labels": about})
    pq.write_table(newer, tmp_path / "newer.parquet")
    with pytest.raises(ValueError, match=r"format 99.*update"):
        read_labels_file(tmp_path / "newer.parquet")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """Cut short, with a page that cannot be unpacked, with a row too few, without what the landmarks lie around."""
    path = tmp_path / "l.parquet"
    write_labels(path, made())
    whole, table = path.read_bytes(), pq.read_table(path)
    longer = table.set_column(table.column_names.index("n_frames"), "n_frames", pa.array([N + 1]))
    for n, other in enumerate((longer, table.drop_columns(["face_box"]))):
        pq.write_table(other, tmp_path / f"{n}.parquet")
    cut = [whole[: len(whole) * part // 4] for part in range(4)]
    others = [(tmp_path / f"{n}.parquet").read_bytes() for n in range(2)]
    for data in (*cut, whole[:8] + bytes(400) + whole[408:], *others):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"damaged|[Pp]arquet"):
            read_labels_file(path)
    with pytest.raises(FileNotFoundError):
        read_labels_file(tmp_path / "none.parquet")


def test_arrays_of_another_length_are_refused(tmp_path: Path) -> None:
    labels = made()
    labels.arrays["gaze"] = labels["gaze"][1:]
    with pytest.raises(ValueError, match="gaze: 4 rows for 5 frames"):
        write_labels(tmp_path / "l.parquet", labels)


def test_rows_are_collected_on_disk(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    pieces = [np.arange(12, dtype=np.float32).reshape(2, 2, 3), np.ones((1, 2, 3), np.float32)]
    for piece in pieces:
        spool.add({"a": piece, "b": piece[:, 0, 0] > 0})
    assert np.array_equal(spool.arrays()["a"], np.concatenate(pieces)) and spool.arrays()["b"].tolist() == [
        False,
        True,
        True,
    ]
    with pytest.raises(ValueError, match="a: rows of"):
        spool.add({"a": pieces[0].astype(np.float64)})


def test_the_page_shows_the_table() -> None:
    """`python -m scripts.doc_tables` writes it."""
    assert markdown() in (REPOSITORY / "docs" / "labels.md").read_text(), "run: python -m scripts.doc_tables"
