"""`lp-ray duplicates`: each input once, what it repeats, and what could not be looked at."""

from __future__ import annotations

from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray.base.limits import Limits
from lp_ray.media.images import read_image
from tests.generated import Generated
from tests.jobs.conftest import Call

pytestmark = pytest.mark.slow


def test_sources_that_repeat_each_other(tmp_path: Path, call: Call, generated: Generated) -> None:
    picture = read_image(generated.portrait, Limits())
    cv2.imwrite(str(tmp_path / "again.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 40])
    cv2.imwrite(str(tmp_path / "mirrored.png"), picture[:, ::-1, ::-1])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    names = [
        generated.portrait,
        tmp_path / "again.jpg",
        tmp_path / "mirrored.png",
        generated.cat,
        tmp_path / "broken.png",
    ]
    rows = [{"uri": str(path), "source_id": str(n)} for n, path in enumerate(names)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "s.parquet")
    ended = call(f"duplicates input={tmp_path}/s.parquet kind=source output={tmp_path}/d.parquet")
    assert ended.code == 3 and "1 could not be looked at" in ended.output, ended.output
    found = pq.read_table(tmp_path / "d.parquet").to_pylist()
    assert [row["same_picture_as"] for row in found] == [None, "0", None, None, None]
    assert [row["same_person_as"] for row in found] == [None, "0", "0", None, None]
    assert [row["face_found"] for row in found[:3]] == [True] * 3
    assert "not a picture" in found[4]["error"]


def test_clips_that_were_encoded_again(tmp_path: Path, call: Call, generated: Generated) -> None:
    drivings = [generated.clip, generated.silent_clip, generated.film, generated.template]
    rows = [{"uri": str(path), "driving_id": str(n)} for n, path in enumerate(drivings)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    ended = call(f"duplicates input={tmp_path}/d.parquet kind=driving output={tmp_path}/out.csv")
    assert ended.code == 3, ended.output
    text = (tmp_path / "out.csv").read_text()
    assert "a motion template shows no picture" in text


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("kind=pair", "kind='pair' must be source or driving"),
        ("kind=source pictures=65", "pictures=65 must be a number from 0 to 64"),
        ("kind=source faces=near", "faces='near' must be a number from 0 to 2"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, call: Call, typed: str, reason: str) -> None:
    pq.write_table(pa.table({"uri": ["a.png"]}), tmp_path / "s.parquet")
    ended = call(f"duplicates input={tmp_path}/s.parquet output={tmp_path}/d.parquet {typed}")
    assert ended.code == 2 and reason in ended.output, ended.output
