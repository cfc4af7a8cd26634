"""Manifests: what is accepted, and how each mistake is named."""

from __future__ import annotations

import uuid
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
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


TEXT_TYPES = [
    *(pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(5)),
    *(pa.dictionary(pa.int8(), kind) for kind in (pa.string(), pa.large_string(), pa.binary())),
]


@pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
@pytest.mark.parametrize("in_file", [True, False])
def test_text_of_every_type_is_text(tmp_path: Path, kind: pa.DataType, in_file: bool) -> None:
    """As Polars, DuckDB, Spark and pandas write it, in a table and in a file; nulls stay."""
    values = [b"a.jpg", "照b".encode() + b"x", b"c.jpg"]
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    plain = pa.array([v if "binary" in str(inner) else v.decode() for v in values], inner)
    column = plain.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else plain
    noted = pa.chunked_array([column.slice(0, 1), column.slice(1)])
    table = pa.table({"uri": noted, "source_id": column, "meta_note": column})
    if in_file:
        pq.write_table(table, tmp_path / "m.parquet")
    read = read_manifest(str(tmp_path / "m.parquet"), "source") if in_file else check_manifest(table, "source", "m")
    for name in ("uri", "source_id", "meta_note"):
        assert read[name].type == pa.string()
        assert read[name].to_pylist() == ["a.jpg", "照bx", "c.jpg"]


def test_a_dictionary_of_a_view_is_text() -> None:
    """Arrow cannot write it to Parquet, and has no kernel for it; a library's caller may have it."""
    column = pa.DictionaryArray.from_arrays(pa.array([1, None, 0]), pa.array(["a", "b"], pa.string_view()))
    table = pa.table({"uri": ["x", "y", "z"], "source_id": column})
    assert check_manifest(table, "source", "m")["source_id"].to_pylist() == ["b", "y", "a"]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([7, None, 9], pa.int32()),
        pa.array([7, None, 9], pa.uint64()),
        pa.array([7.0, None, 9.0]),
        pa.array([7.0, float("nan"), 9.0], pa.float32()),
        pa.array([Decimal("7.00"), None, Decimal("9")], pa.decimal128(12, 2)),
        pa.array([7, None, 9]).dictionary_encode(),
        pa.array([7.0, None, 9.0]).dictionary_encode(),
        pa.array(pd.array([7, None, 9], "Int64")),
    ],
    ids=lambda values: str(values.type),
)
def test_whole_numbers_are_ids(values: pa.Array) -> None:
    table = pa.table({"uri": ["a", "b", "c"], "source_id": values})
    assert check_manifest(table, "source", "m")["source_id"].to_pylist() == ["7", "b", "9"]


def test_uuids_are_ids() -> None:
    name = uuid.uuid4()
    table = pa.table({"uri": ["a"], "source_id": pa.array([name.bytes], pa.uuid())})
    assert check_manifest(table, "source", "m")["source_id"].to_pylist() == [str(name)]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int64(), 4), pa.large_list(pa.float32()), pa.list_view(pa.float64()), pa.list_(pa.string())]
)
def test_boxes_of_every_list_type_are_boxes(kind: pa.DataType) -> None:
    column = pa.array([[0, 1, 10, 11], None], pa.list_(pa.int64())).cast(pa.list_(kind.value_type))
    table = pa.table({"uri": ["a", "b"], "box": pa.array(column.to_pylist(), kind)})
    assert check_manifest(table, "source", "m")["box"].to_pylist() == [[0.0, 1.0, 10.0, 11.0], None]


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([5, 7]),
        pd.Index(["x", "y"], name="of the user's"),
        pd.MultiIndex.from_arrays([[1, 2], ["x", "y"]]),
        pd.RangeIndex(2),
    ],
    ids=["numbers", "named", "two levels", "range"],
)
def test_an_index_of_pandas_is_left_out(tmp_path: Path, index: pd.Index) -> None:
    frame = pd.DataFrame({"uri": ["a", "b"], "source_id": pd.array([1, None], "Int64")}, index=index)
    frame.to_parquet(tmp_path / "m.parquet")
    table = read_manifest(str(tmp_path / "m.parquet"), "source")
    assert table.column_names == list(SOURCE_COLUMNS)
    assert table["source_id"].to_pylist() == ["1", "b"]


def test_an_index_that_a_manifest_knows_is_kept(tmp_path: Path) -> None:
    frame = pd.DataFrame({"uri": ["a", "b"], "source_id": ["x", "y"], "meta_n": [1, 2]})
    frame.set_index(["source_id", "meta_n"]).to_parquet(tmp_path / "m.parquet")
    table = read_manifest(str(tmp_path / "m.parquet"), "source")
    assert (table["source_id"].to_pylist(), table["meta_n"].to_pylist()) == (["x", "y"], [1, 2])


@pytest.mark.parametrize("note", [b"{", b"[]", b'{"index_columns": 7}', b"\xff"])
def test_a_broken_note_of_pandas_is_no_trouble(note: bytes) -> None:
    table = pa.table({"uri": ["a"]}).replace_schema_metadata({b"pandas": note})
    assert check_manifest(table, "source", "m")["uri"].to_pylist() == ["a"]


def test_all_repeats_of_an_id_are_named_at_once() -> None:
    """The first ten with their rows, however many rows, and the count."""
    ids = [f"id{n // 2}" for n in range(30)] + ["once"] + ["id0"] * 20
    with pytest.raises(RefusedError) as caught:
        check_manifest(pa.table({"uri": [str(n) for n in range(len(ids))], "source_id": ids}), "source", "m")
    text = str(caught.value)
    assert "rows 0, 1, 31, 32, 33, 34, 35, 36, 37, 38 and 12 more: duplicate source_id 'id0'" in text
    assert "rows 18 and 19: duplicate source_id 'id9'" in text and "id10" not in text and "once" not in text
    assert "(the first 10 of 15); give each row its own source_id" in text


def test_all_repeats_of_a_pair_are_named_at_once() -> None:
    """With other options it is another pair."""
    columns = {
        "source_id": ["a", "a", "a", "b", "b", "c"],
        "driving_id": ["x", "x", "x", "x", "x", "x"],
        "crf": [None, 20, None, 20, 20, None],
    }
    with pytest.raises(RefusedError) as caught:
        check_manifest(pa.table(columns), "pair", "m")
    assert "rows 0 and 2: 'a' with 'x'; rows 3 and 4: 'b' with 'x'; keep one row of each" in str(caught.value)
    distinct = {name: values[:2] + values[3:4] for name, values in columns.items()}
    assert len(check_manifest(pa.table(distinct), "pair", "m")) == 3


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
    ("source", {"uri": ["a", "b"], "source_id": [1.0, 1.5]}, ["row 1", "source_id=1.5", "whole number"]),
    ("source", {"uri": ["a"], "source_id": [2.0**60]}, ["row 0", "source_id=", "whole number"]),
    ("source", {"uri": ["a"], "source_id": [float("inf")]}, ["row 0", "source_id=inf"]),
    ("source", {"uri": ["a"], "source_id": [True]}, ["'source_id' is bool", "must be text"]),
    ("source", {"uri": ["a"], "source_id": [["x"]]}, ["'source_id' is list", "must be text"]),
    ("source", {"uri": ["a", "b"], "source_id": [b"x", b"\xff"]}, ["row 1", "source_id=b'\\xff'", "UTF-8"]),
    ("source", {"uri": ["a", "b"], "box": ["[0,0,1,1]", "here"]}, ["row 1", "box='here'"]),
    ("source", {"uri": ["a", "b"], "box": ["[0,0,1,1]", "[0,0,1]"]}, ["row 1", "box=[0.0, 0.0, 1.0]"]),
    ("source", {"uri": ["a"], "box": [7]}, ["'box' is int64"]),
    ("source", {"uri": ["a"], "box": pa.array([[("x", 1)]], pa.map_(pa.string(), pa.int64()))}, ["'box' must be list"]),
    ("source", {"uri": ["a", "b"], "source_id": np.array([1, 1.5], np.float16)}, ["row 1", "source_id=1.5"]),
    ("source", {"uri ": ["a"]}, ["unknown column 'uri '", "did you mean 'uri'"]),
    ("driving", {"uri": ["a"], "start_s": [-1.0]}, ["row 0", "start_s"]),
    ("driving", {"uri": ["a", "b"], "start_s": [None, 3.0], "end_s": [1.0, 3.0]}, ["row 1", "end_s=3.0"]),
    ("driving", {"uri": ["a"], "end_s": ["soon"]}, ["'end_s'"]),
    ("driving", {"uri": ["a"], "end_s": [float("inf")]}, ["row 0", "end_s"]),
    ("pair", {"source_id": ["a"]}, ["'driving_id'", "missing"]),
    ("pair", {"source_id": ["a"], "driving_id": [None]}, ["row 0", "'driving_id'"]),
    ("pair", {"source_id": ["a", "b"], "driving_id": ["b", "b"], "crf": ["20", "x"]}, ["row 1", "crf='x'", "int"]),
    ("pair", {"source_id": ["a"], "driving_id": ["b"], "paste_back": ["maybe"]}, ["row 0", "'maybe'", "bool"]),
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
