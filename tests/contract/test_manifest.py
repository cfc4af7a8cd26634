"""Manifests: what is accepted, and how each mistake is named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.contract.manifest import (
    DRIVING_COLUMNS,
    SOURCE_COLUMNS,
    Kind,
    check_manifest,
    check_meta_names,
    read_manifest,
)


def test_absent_columns_are_null_and_ids_come_from_the_uri() -> None:
    table = check_manifest(pa.table({"uri": ["a.jpg", "b.jpg"]}), "source", "m")
    assert table.column_names == list(SOURCE_COLUMNS)
    assert table["source_id"].to_pylist() == ["a.jpg", "b.jpg"]
    assert table["box"].null_count == 2


def test_kinds_are_cast_to_the_declared_types() -> None:
    table = check_manifest(
        pa.table(
            {
                "uri": pa.array(["a", "b"]).dictionary_encode(),
                "face": pa.array([1.0, None]),
                "box": [[0, 0, 10, 10], None],
                "meta_tag": ["x", "y"],
            }
        ),
        "source",
        "m",
    )
    assert table["face"].to_pylist() == ["1", None]
    assert table["box"].to_pylist() == [[0.0, 0.0, 10.0, 10.0], None]
    assert table["meta_tag"].to_pylist() == ["x", "y"]
    cut = check_manifest(pa.table({"uri": ["a"], "start_s": [1], "end_s": [3]}), "driving", "m")
    assert cut.select(list(DRIVING_COLUMNS))["end_s"].to_pylist() == [3.0]


MISTAKES: list[tuple[Kind, dict[str, list[object]], list[str]]] = [
    ("source", {"uri": []}, ["no rows"]),
    ("source", {"url": ["a"]}, ["'url'", "did you mean 'uri'"]),
    ("source", {"uri": ["a", None]}, ["row 1", "'uri'"]),
    ("source", {"uri": ["a", " "]}, ["row 1", "'uri'"]),
    ("source", {"uri": ["a", "b", "c"], "source_id": ["x", "y", "x"]}, ["rows 0 and 2", "source_id", "'x'"]),
    ("source", {"uri": ["a", "a"]}, ["rows 0 and 1", "source_id", "'a'"]),
    ("source", {"uri": ["a"], "face": ["biggest"]}, ["row 0", "face='biggest'", "large-small"]),
    ("source", {"uri": ["a"], "face": [-1]}, ["row 0", "face='-1'"]),
    ("source", {"uri": ["a"], "box": [[0.0, 0.0, 1.0]]}, ["row 0", "box"]),
    ("source", {"uri": ["a"], "box": [[5.0, 0.0, 1.0, 9.0]]}, ["row 0", "x0 < x1"]),
    ("source", {"uri": ["a"], "box": [[0.0, 0.0, float("nan"), 9.0]]}, ["row 0", "box"]),
    ("source", {"uri": ["a"], "subject": ["dog"]}, ["row 0", "subject='dog'"]),
    ("driving", {"uri": ["a"], "start_s": [-1.0]}, ["row 0", "start_s"]),
    ("driving", {"uri": ["a", "b"], "start_s": [None, 3.0], "end_s": [1.0, 3.0]}, ["row 1", "end_s=3.0"]),
    ("driving", {"uri": ["a"], "end_s": ["soon"]}, ["'end_s'"]),
    ("driving", {"uri": ["a"], "end_s": [float("inf")]}, ["row 0", "end_s"]),
    ("pair", {"source_id": ["a"]}, ["'driving_id'", "missing"]),
    ("pair", {"source_id": ["a"], "driving_id": [None]}, ["row 0", "'driving_id'"]),
    ("pair", {"source_id": ["a"], "driving_id": ["b"], "crv": [20]}, ["'crv'", "did you mean 'crf'"]),
]


@pytest.mark.parametrize(("kind", "columns", "words"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_refused_by_name(kind: Kind, columns: dict[str, list[object]], words: list[str]) -> None:
    with pytest.raises(RefusedError) as refusal:
        check_manifest(pa.table(columns), kind, "the manifest")
    assert all(word in str(refusal.value) for word in ["the manifest", *words]), refusal.value


def test_a_column_that_stands_twice_is_refused() -> None:
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["uri", "uri"])
    with pytest.raises(RefusedError, match="'uri' stands twice"):
        check_manifest(table, "source", "m")


def test_the_same_meta_column_in_two_manifests_is_refused() -> None:
    with pytest.raises(RefusedError, match="meta_tag"):
        check_meta_names(pa.table({"meta_tag": [1]}), pa.table({"meta_tag": [2]}))


def test_files_that_are_no_manifest_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.parquet"
    text.write_text("uri\na.jpg\n")
    with pytest.raises(RefusedError, match="not a Parquet file"):
        read_manifest(str(text), "source")
    with pytest.raises(RefusedError, match=r"nothing at .*b\.parquet"):
        read_manifest(str(tmp_path / "b.parquet"), "source")


def test_a_manifest_is_read_back(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uri": ["照片/a.jpg"]}), tmp_path / "{m},1.parquet")
    assert read_manifest(str(tmp_path / "{m},1.parquet"), "source")["uri"].to_pylist() == ["照片/a.jpg"]
