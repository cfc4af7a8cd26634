"""Tables as tools write them: Parquet, CSV and JSON lines, in one file or in parts, are read and written back."""

from __future__ import annotations

import gzip
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import ray

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.contract.manifest import read_manifest
from lp_ray.contract.parquet import MAX_FIELD
from lp_ray.contract.tables import check_writable_name, format_of, to_bytes

ROWS = [{"uri": "照片/a.jpg", "source_id": "007"}, {"uri": "b, c.jpg", "source_id": 'say "x"'}]


def ids(uri: object) -> list[str]:
    return [str(i) for i in read_manifest(str(uri), "source")["source_id"].to_pylist()]


def as_csv(rows: list[dict[str, str]]) -> str:
    return pd.DataFrame(rows).to_csv(index=False)


def as_lines(rows: list[dict[str, str]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


TEXTS: list[tuple[str, bytes]] = [
    ("m.csv", as_csv(ROWS).encode()),
    ("M.CSV", as_csv(ROWS).replace("\n", "\r\n").encode()),
    ("m.csv", b"\xef\xbb\xbf" + as_csv(ROWS).encode()),
    ("m.csv", as_csv(ROWS).encode("utf-16")),
    ("m.csv", as_csv(ROWS).rstrip("\n").encode()),
    ("m.csv", pd.DataFrame(ROWS).to_csv(index=False, sep=";").encode()),
    ("m.tsv", pd.DataFrame(ROWS).to_csv(index=False, sep="\t").encode()),
    ("m.csv", pd.DataFrame(ROWS).to_csv().encode()),
    ("m.csv", (as_csv(ROWS).replace("uri,source_id", " uri , source_id ,,") + ",,,\n\n").encode()),
    ("m.csv.gz", gzip.compress(as_csv(ROWS).encode(), mtime=0)),
    ("m.jsonl", as_lines(ROWS).encode()),
    ("m.ndjson", ("\n" + as_lines(ROWS) + "\n\n").encode()),
    ("m.json", as_lines(ROWS).encode()),
    ("m.jsonl.gz", gzip.compress(as_lines(ROWS).encode(), mtime=0)),
]


@pytest.mark.parametrize(("name", "data"), TEXTS)
def test_texts_are_read_as_they_stand(tmp_path: Path, name: str, data: bytes) -> None:
    """CSV as tools write it: with a byte order mark, semicolons, an index, empty columns, or empty lines at the end."""
    if name == "m.csv" and b",,," in data:
        data = data.replace(b"007\n", b"007,,\n").replace(b'"say ""x"""\n', b'"say ""x""",,\n')
    (tmp_path / name).write_bytes(data)
    table = read_manifest(str(tmp_path / name), "source")
    assert table.select(["uri", "source_id"]).to_pylist() == ROWS
    assert table["box"].null_count == 2


def test_a_csv_says_all_that_a_manifest_can(tmp_path: Path) -> None:
    text = (
        "uri,source_id,box,face,media,meta_age\n"
        'a.jpg,1,"[10, 20.5, 110,120]",0,image,30\n'
        "b.jpg,2,10 20 110 120,,,\n"
        'c.jpg,3,"10,20,110,120",all,,\n'
        "d.jpg,4,,,,x\n"
    )
    (tmp_path / "s.csv").write_text(text.replace("all", "best"))
    table = read_manifest(str(tmp_path / "s.csv"), "source")
    assert table["box"].to_pylist() == [[10, 20.5, 110, 120], *[[10, 20, 110, 120]] * 2, None]
    assert table["face"].to_pylist() == ["0", None, "best", None]
    assert table["media"].to_pylist() == ["image", None, None, None]
    assert table["meta_age"].to_pylist() == ["30", None, None, "x"]
    (tmp_path / "d.csv").write_text("uri,start_s,end_s\na.mp4,,1.5\nb.mp4,1,2e0\n")
    drivings = read_manifest(str(tmp_path / "d.csv"), "driving")
    assert drivings["start_s"].to_pylist() == [None, 1.0]
    assert drivings["end_s"].to_pylist() == [1.5, 2.0]


@pytest.mark.parametrize("name", ["p.csv", "p.jsonl", "p.parquet"])
def test_options_have_their_kinds_in_every_format(tmp_path: Path, name: str) -> None:
    table = pa.table(
        {
            "source_id": ["a", "a", "b"],
            "driving_id": ["x", "x", "x"],
            "crf": [20, None, 22],
            "flag_pasteback": [False, True, None],
            "crop_scale": [2.5, 1.0, None],
            "preset": ["fast", None, None],
            "driving_reference": ["7", "first", None],
        }
    )
    (tmp_path / name).write_bytes(to_bytes(table, name))
    read = read_manifest(str(tmp_path / name), "pair")
    assert read["crf"].to_pylist() == [20, None, 22]
    assert read["paste_back"].to_pylist() == [False, True, None]
    assert read["crop_scale"].to_pylist() == [2.5, 1.0, None]
    assert read["driving_reference"].to_pylist() == ["7", "first", None]


def test_json_lines_may_lack_columns_and_mix_numbers_with_texts(tmp_path: Path) -> None:
    lines = [{"uri": "a", "source_id": 1}, {"uri": "b", "source_id": "x", "box": [0, 0, 1.5, 1]}, {"uri": "c"}]
    (tmp_path / "s.jsonl").write_text(as_lines(lines))
    table = read_manifest(str(tmp_path / "s.jsonl"), "source")
    assert table["source_id"].to_pylist() == ["1", "x", "c"]
    assert table["box"].to_pylist() == [None, [0, 0, 1.5, 1], None]


def test_pieces_of_a_long_text_make_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that comes late, or changes from numbers to texts, is the same in pieces as in one."""
    monkeypatch.setattr("lp_ray.contract.text_tables._AT_ONCE", 2)
    lines = [{"uri": f"{n}.jpg", "source_id": n} for n in range(5)] + [{"uri": "y", "source_id": "y", "meta_late": 7}]
    (tmp_path / "s.jsonl").write_text(as_lines(lines))
    table = read_manifest(str(tmp_path / "s.jsonl"), "source")
    assert table["source_id"].to_pylist() == ["0", "1", "2", "3", "4", "y"]
    assert table["meta_late"].to_pylist() == [None] * 5 + [7]
    (tmp_path / "s.csv").write_text(as_csv([{"uri": f"{n}.jpg"} for n in range(5)]))
    assert len(ids(tmp_path / "s.csv")) == 5


def spark(folder: Path, frame: pd.DataFrame) -> None:
    for n, part in enumerate(np.array_split(np.arange(len(frame)), 3)):
        frame.iloc[part].to_parquet(folder / f"part-{n:05d}-9f0c.c000.snappy.parquet", index=False)
        (folder / f".part-{n:05d}-9f0c.c000.snappy.parquet.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").touch()


def dask(folder: Path, frame: pd.DataFrame) -> None:
    """Twelve parts, so that their order is that of numbers, with the index and the metadata file that Dask adds."""
    for n in range(len(frame)):
        frame.iloc[[n]].rename_axis("__null_dask_index__").to_parquet(folder / f"part.{n}.parquet")
    pq.write_metadata(pq.read_schema(folder / "part.0.parquet"), folder / "_metadata")


def ray_data(folder: Path, frame: pd.DataFrame) -> None:
    ray.init(address="local", num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        parts = [frame.iloc[n * 4 : n * 4 + 4] for n in range(3)]
        ray.data.from_pandas(parts).write_parquet(str(folder))
    finally:
        ray.shutdown()
    assert len(list(folder.glob("*.parquet"))) > 1, "or this is no test of parts"


def hive(folder: Path, frame: pd.DataFrame) -> None:
    """Subfolders that name a value, as every engine writes a partitioned table."""
    for n, name in enumerate(("meta_of=__HIVE_DEFAULT_PARTITION__", "meta_of=a%20b")):
        (folder / name).mkdir()
        frame.iloc[n * 6 : n * 6 + 6].to_parquet(folder / name / "part-0.parquet")


def csvs(folder: Path, frame: pd.DataFrame) -> None:
    frame[:7].to_csv(folder / "part-0.csv", index=False)
    frame[7:].to_csv(folder / "part-1.csv", index=False)


@pytest.mark.parametrize("write", [spark, dask, pytest.param(ray_data, marks=pytest.mark.ray), hive, csvs])
def test_a_folder_of_parts_is_one_manifest(tmp_path: Path, write: Callable[[Path, pd.DataFrame], None]) -> None:
    frame = pd.DataFrame({"uri": [f"{n}.jpg" for n in range(12)]})
    write(tmp_path, frame)
    assert ids(tmp_path) == frame["uri"].tolist()
    assert ids(f"file://{tmp_path}/") == frame["uri"].tolist()
    if write is hive:
        assert read_manifest(str(tmp_path), "source")["meta_of"].to_pylist() == [None] * 6 + ["a b"] * 6


def test_a_folder_of_parts_on_a_store_is_one_manifest(tmp_path: Path, s3_bucket: str) -> None:
    spark(tmp_path, pd.DataFrame({"uri": [f"{n}.jpg" for n in range(12)]}))
    for path in tmp_path.iterdir():
        storage.put_file(path, f"s3://{s3_bucket}/m/{path.name}")
    assert ids(f"s3://{s3_bucket}/m") == [f"{n}.jpg" for n in range(12)]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a.jpg"], "a folder without parts of a table"),
        ([], "a folder without parts of a table"),
        (["a.csv", "b.jsonl"], "a folder of csv and jsonl files"),
        (["part-0.csv", "_delta_log/0.json"], "a Delta table"),
        (["_temporary/0/part-0.csv"], "still being written"),
    ],
)
def test_a_folder_that_is_no_manifest_says_why(tmp_path: Path, names: list[str], words: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("uri\na.jpg\n")
    with pytest.raises(RefusedError, match=words):
        read_manifest(str(tmp_path), "source")


def test_a_bad_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.csv").write_text("uri\na.jpg\n")
    (tmp_path / "1.csv").write_text("uri\na.jpg,b\n")
    with pytest.raises(RefusedError, match=r"1\.csv: line 2: 2 fields"):
        read_manifest(str(tmp_path), "source")


BAD_TEXTS = [
    ("s.csv", b"uri,source_id\na.jpg\n", "line 2: 1 fields, the first line names 2"),
    ("s.csv", b'uri\n"a.jpg\n', "line 2: unexpected end of data"),
    ("s.csv", b"uri\ncaf\xe9.jpg\n", "not UTF-8 text, near line"),
    ("s.csv", b"", "no rows"),
    ("s.csv", b"uri\n", "no rows"),
    ("s.csv", b"uri\n" + b"x" * 200_000, "field larger than field limit"),
    ("s.csv", b"x" * (1 << 20) + b"x", "more than 1048576 characters"),
    ("s.csv", b"PK\x03\x04" + bytes(100), "a spreadsheet"),
    ("s.csv", b"\x1f\x8b\x08\x00" + b"no", "end-of-stream"),
    ("s.csv.gz", gzip.compress(b"uri\na.jpg\n", mtime=0)[:-6], "end-of-stream"),
    ("s.jsonl", b'{"uri": "a"}\n{"uri": \n', "line 2 is not JSON"),
    ("s.jsonl", b'[{"uri": "a"}]\n', "line 1 is a list, it must be one JSON object"),
    ("s.jsonl", b"[" * 100_000, "line 1 is not JSON"),
    ("s.jsonl", b'{"uri": "a", "source_id": ' + b"9" * 5000 + b"}", "line 1 is not JSON"),
    ("s.jsonl", b'{"uri": "a", "source_id": ' + b"9" * 50 + b"}", "column 'source_id'"),
    ("s.jsonl", b'{"uri": "\\ud800"}', "column 'uri'"),
    ("s.jsonl", b'{"uri": ["a"]}\n{"uri": "b"}', "column 'uri'"),
    ("s.parquet", b"uri\na.jpg\n", "not a Parquet file"),
    ("s.txt", b"uri\na.jpg\n", "not a Parquet file; it looks like text: name a CSV .csv"),
    ("s.parquet", b"<!DOCTYPE html>", "it looks like a web page"),
    ("s.parquet", b"PAR1" + bytes(50), "not a Parquet file"),
    ("s.parquet", b"", "not a Parquet file"),
]


@pytest.mark.parametrize(("name", "data", "words"), BAD_TEXTS, ids=lambda value: str(value)[:30])
def test_what_is_no_table_is_refused(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RefusedError) as caught:
        read_manifest(str(tmp_path / name), "source")
    assert words in str(caught.value) and name in str(caught.value)


def test_text_that_unpacks_to_too_much_is_refused_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress(b"uri\n" + b"a.jpg\n" * 1000, mtime=0))
    monkeypatch.setattr("lp_ray.contract.text_tables.MAX_LINES", 1000)
    with pytest.raises(RefusedError, match="more than 1000 lines"):
        read_manifest(str(tmp_path / "s.csv.gz"), "source")


def invalid_text() -> pa.Array:
    """A text column that is not UTF-8 in its second row; Arrow takes it at its word."""
    return pa.Array.from_buffers(pa.string(), 2, pa.array([b"a.jpg", b"\xff\xfe.jpg"]).buffers())


@pytest.mark.parametrize("column", ["uri", "source_id", "meta_note", "meta_deep"])
def test_values_that_are_not_utf8_name_row_and_column(tmp_path: Path, column: str) -> None:
    bad = pa.StructArray.from_arrays([invalid_text()], ["x"]) if column == "meta_deep" else invalid_text()
    table = pa.table({"uri": ["a", "b"], **{column: bad}})
    pq.write_table(table, tmp_path / "s.parquet")
    row = "" if column == "meta_deep" else "row 1"
    with pytest.raises(RefusedError, match=rf"{row}.*{column}"):
        read_manifest(str(tmp_path / "s.parquet"), "source")


def test_a_columns_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uri": ["a"], "meta_QQQQ": ["b"]}), tmp_path / "s.parquet", store_schema=False)
    data = (tmp_path / "s.parquet").read_bytes()
    assert data.count(b"QQQQ")
    (tmp_path / "s.parquet").write_bytes(data.replace(b"QQQQ", b"Q\xff\xfeQ"))
    with pytest.raises(RefusedError, match="the name of a column is not UTF-8"):
        read_manifest(str(tmp_path / "s.parquet"), "source")


def test_a_file_that_unpacks_to_a_terabyte_is_refused_in_little_memory(tmp_path: Path) -> None:
    """A dictionary of one long text and three million references to it: 80 kB on disk, 1.5 TB as text."""
    indices, values = pa.array(np.zeros(3_000_000, np.int32)), pa.array(["x" * (MAX_FIELD // 2)])
    pq.write_table(pa.table({"uri": pa.DictionaryArray.from_arrays(indices, values)}), tmp_path / "s.parquet")
    assert (tmp_path / "s.parquet").stat().st_size < 1 << 20
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (4 << 30, 4 << 30))\n"
        "from lp_ray.contract.manifest import read_manifest\n"
        "read_manifest(sys.argv[1], 'source')"
    )
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY, "or this test proves nothing"
    command = [sys.executable, "-c", program, str(tmp_path / "s.parquet")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "RefusedError" in ended.stderr and "more than 2 GiB of values" in ended.stderr, ended.stderr


def test_a_long_text_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uri": ["a", "x" * (MAX_FIELD + 1)]}), tmp_path / "s.parquet")
    with pytest.raises(RefusedError, match=r"column 'uri': a value of 1048577 bytes"):
        read_manifest(str(tmp_path / "s.parquet"), "source")


def test_a_row_of_very_many_values_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"uri": ["a"], "box": [np.zeros(5000)]}), tmp_path / "s.parquet")
    with pytest.raises(RefusedError, match=r"column 'box.*' has too many values"):
        read_manifest(str(tmp_path / "s.parquet"), "source")


TABLE = pa.table(
    {
        "uri": ["a,b.jpg", 'say "x".jpg', "line\nbreak.jpg"],
        "source_id": ["007", "1e3", "照"],
        "box": pa.array([[0, 0, 1.5, 2], None, None], pa.list_(pa.float64())),
        "meta_note": ["", None, " "],
    }
)


@pytest.mark.parametrize("name", ["m.parquet", "m", "m.csv", "m.jsonl", "m.ndjson", "m.csv.gz", "m.jsonl.gz"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(to_bytes(TABLE, name))
    read = read_manifest(str(tmp_path / name), "source").select(TABLE.column_names)
    for column in ("uri", "source_id", "box"):
        assert read[column].to_pylist() == TABLE[column].to_pylist()
    assert to_bytes(TABLE, name) == to_bytes(TABLE, name), "the same bytes at another time"


@pytest.mark.parametrize("name", ["m.xlsx", "m.txt", "m.json", "m.parquet.gz", "m.tsv", "a.feather"])
def test_a_name_that_promises_another_kind_is_not_written(name: str) -> None:
    with pytest.raises(RefusedError, match=r"a manifest is written as \.parquet, \.csv"):
        check_writable_name(name)


def test_names_tell_the_format() -> None:
    assert [format_of(n) for n in ("a.PARQUET", "a.csv.gz", "a.csv.gz?sig=x.y", "a.ndjson", "a.jpg", "a")] == [
        *("parquet", "csv", "csv", "jsonl"),
        *(None, None),
    ]
