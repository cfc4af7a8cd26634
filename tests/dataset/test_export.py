"""`lp-ray dataset`: the same selection in three containers, read by the libraries they are made for."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lp_ray import storage
from lp_ray.labels.file import Labels, write_labels
from tests.dataset.made import layout_of, row, write
from tests.jobs.conftest import Call, call
from tests.running import REPOSITORY

__all__ = ["call"]

N_SOURCES, N_DRIVINGS = 12, 8
SPLIT = "split=train=0.6,val=0.2,test=0.2 seed=3"
FORMATS = ("webdataset", "videofolder", "parquet")
SMALL = "shard_gb=0.000012"


def labels_of(pair_id: str, luminance: float) -> Labels:
    arrays = {"face_box": np.ones((50, 4), np.float32), "luminance": np.full(50, luminance, np.float32)}
    return Labels(pair_id, 50, Fraction(25), 64, 64, 0, 1, {}, arrays)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 crossed pairs with small videos, metrics and labels, a selection of most of them, and a failed pair."""
    folder = tmp_path_factory.mktemp("made") / "out"
    layout, random, scratch = layout_of(folder), np.random.default_rng(0), folder.with_name("labels.parquet")
    rows = []
    for source in range(N_SOURCES):
        for driving in range(N_DRIVINGS):
            video = random.integers(0, 255, 2000 + 10 * source + driving, np.uint8).tobytes()
            made = row(layout, f"s{source}", f"d{driving}", video, meta_shop="north" if source % 2 else None)
            made["labels_uri"] = storage.join(layout.root, "labels", f"{made['pair_id']}.parquet")
            write_labels(scratch, labels_of(made["pair_id"], 0.5 * source))
            storage.put_bytes(made["labels_uri"], scratch.read_bytes())
            rows.append(made)
    jitter = [*random.uniform(0, 2, len(rows) - 1), None]
    write(layout, rows, {"identity_mean": list(random.uniform(0.7, 1, len(rows))), "jitter": jitter})
    write(layout, [{"pair_id": "f" * 32, "source_id": "bad", "driving_id": "d0", "status": "failed"}])
    return folder


@pytest.fixture(scope="module", autouse=True)
def _offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep `datasets` from the network and from the cache of whoever runs the tests."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        patch.setenv(name, "1")
    yield
    patch.undo()


def files(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def table_of(folder: Path, side: str) -> list[dict[str, Any]]:
    beside, apart = folder / side / "metadata.parquet", folder / "metadata" / f"{side}.parquet"
    rows: list[dict[str, Any]] = pq.read_table(beside if beside.exists() else apart).to_pylist()
    return rows


def test_one_selection_in_three_formats_is_read_by_three_libraries(output: Path, tmp_path: Path, call: Call) -> None:
    """Same samples in the same sides; same videos, byte by byte; facts, labels and tables that can be read."""
    import datasets
    import mlcroissant
    import webdataset

    assert call(f"filter output={output} where='identity_mean > 0.75 and jitter < 1.9' to=good").code == 0
    for name in FORMATS:
        ended = call(f"dataset output={output} to={tmp_path / name} format={name} selection=good {SPLIT} {SMALL}")
        assert ended.code == 0, ended.output
    seen: dict[str, dict[str, dict[str, str]]] = {name: {} for name in FORMATS}  # format -> side -> pair -> hash
    for side in ("train", "val", "test"):
        shards = sorted(map(str, (tmp_path / "webdataset").glob(f"{side}-*.tar")))
        stream = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
        for sample in stream:
            assert sample["__key__"] == sample["json"]["pair_id"] and sample["json"]["split"] == side
            assert sample["npz"]["face_box"].shape == (50, 4)
            assert np.allclose(sample["npz"]["luminance"], 0.5 * int(sample["json"]["source_id"][1:]))
        seen["webdataset"][side] = {s["__key__"]: hashlib.sha256(s["mp4"]).hexdigest() for s in stream}
        assert len(shards) > 1 or side != "train"
    for name in ("videofolder", "parquet"):
        loaded = datasets.load_dataset(str(tmp_path / name))
        assert set(loaded) == {"train", "val", "test"}
        for side, part in loaded.items():
            part = part.cast_column("video", datasets.Video(decode=False))
            seen[name][side] = {sample["pair_id"]: _hash(sample["video"]) for sample in part}
            assert all(sample["sha256"] == seen[name][side][sample["pair_id"]] for sample in part)
    assert seen["webdataset"] == seen["videofolder"] == seen["parquet"]
    assert all(seen["parquet"].values())
    for name in FORMATS:
        described = mlcroissant.Dataset(jsonld=str(tmp_path / name / "croissant.json"))
        assert not described.metadata.ctx.issues.errors
        for side in ("train", "val", "test"):
            records = list(described.records(side))
            assert {record[f"{side}/pair_id"].decode() for record in records} == set(seen[name][side])


def _hash(video: dict[str, Any]) -> str:
    data = video["bytes"] if video["bytes"] is not None else Path(video["path"]).read_bytes()
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("name", FORMATS)
def test_no_face_and_no_motion_stands_on_two_sides(name: str, output: Path, tmp_path: Path, call: Call) -> None:
    ended = call(f"dataset output={output} to={tmp_path / 'set'} format={name} {SPLIT} {SMALL}")
    assert ended.code == 0, ended.output
    rows = {side: table_of(tmp_path / "set", side) for side in ("train", "val", "test")}
    for role in ("source_id", "driving_id"):
        sides = [{row[role] for row in found} for found in rows.values()]
        assert all(sides) and not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    kept = sum(map(len, rows.values()))
    assert f"left out: {N_SOURCES * N_DRIVINGS - kept} (source and driving on different sides)" in ended.output
    assert "left out: 1 (failed)" in ended.output


def test_a_sample_keeps_its_facts_and_says_nothing_of_places(output: Path, tmp_path: Path, call: Call) -> None:
    ended = call(f"dataset output={output} to={tmp_path / 'set'} format=webdataset contact=a@b.c licence=cc-by-4.0")
    assert ended.code == 0 and "train: 96 videos in 1 shards" in ended.output, ended.output
    with tarfile.open(tmp_path / "set" / "train-000000.tar") as tar:
        members = tar.getmembers()
        known = [json.loads(tar.extractfile(m).read()) for m in members if m.name.endswith(".json")]  # type: ignore[union-attr]
    assert {(m.mtime, m.uid, m.gid, m.uname) for m in members} == {(0, 0, 0, "")}
    assert [m.name.partition(".")[2] for m in members[:3]] == ["mp4", "json", "npz"]
    assert len({tuple(sorted(facts)) for facts in known}) == 1, "all samples have the same keys"
    facts = known[0]
    assert facts["options"] == {"paste_back": True} and facts["fps_numerator"] == 25
    assert not any(name.endswith("_uri") for name in facts) and "/in/" not in json.dumps(known)
    card = (tmp_path / "set" / "README.md").read_text()
    assert "license: cc-by-4.0" in card and "a@b.c" in card and "| train | 96 | 12 | 8 | 4800 |" in card
    assert "1 failed" in card and "/in/" not in card


@pytest.mark.parametrize("name", FORMATS)
def test_ids_that_are_places_are_published_nowhere(name: str, tmp_path: Path, call: Call) -> None:
    """A manifest without ids goes by its URIs. They are cleaned in tables as in samples."""
    layout = layout_of(tmp_path / "out")
    write(layout, [row(layout, "s3://private/anna/1.jpg", "/home/bob/nod.mp4", b"video")])
    ended = call(f"dataset output={tmp_path / 'out'} to={tmp_path / 'set'} format={name}")
    assert ended.code == 0, ended.output
    (published,) = table_of(tmp_path / "set", "train")
    assert (published["source_id"], published["driving_id"]) == ("1", "nod")
    for table in (tmp_path / "set").rglob("*.parquet"):
        assert "private" not in str(pq.read_table(table).to_pylist()) and "bob" not in str(pq.read_table(table))


@pytest.mark.parametrize("videos", ["bytes", "uri"])
def test_labels_stay_at_home_if_nobody_wants_them(videos: str, output: Path, tmp_path: Path, call: Call) -> None:
    line = f"dataset output={output} format=parquet videos={videos}"
    assert call(f"{line} to={tmp_path / 'set'} labels=false").code == 0
    assert not any("labels" in name for name in pq.read_schema(tmp_path / "set" / "data" / "train-00000.parquet").names)
    refused = call(f"{line} to={tmp_path / 'other'} labels=none")
    assert refused.code == 2 and "labels='none' must be true or false" in refused.output


def test_videos_may_stay_where_they_are(output: Path, tmp_path: Path, call: Call) -> None:
    assert call(f"dataset output={output} to={tmp_path / 'set'} format=parquet videos=uri").code == 0
    rows = pq.read_table(tmp_path / "set" / "data" / "train-00000.parquet").to_pylist()
    assert len(rows) == 96 and all(Path(row["video_uri"].removeprefix("file://")).is_file() for row in rows)
    refused = call(f"dataset output={output} to={tmp_path / 'other'} format=webdataset videos=uri")
    assert refused.code == 2 and "is for format=parquet" in refused.output


@pytest.mark.parametrize(("name", "step", "times"), [
    ("webdataset", "sample", 7), ("webdataset", "note", 2), ("videofolder", "note", 0), ("parquet", "sample", 20),
])  # fmt: skip
def test_an_export_killed_in_the_middle_is_finished_with_the_same_bytes(
    name: str, step: str, times: int, output: Path, tmp_path: Path, call: Call
) -> None:
    arguments = f"output={output} format={name} {SPLIT} {SMALL}"
    assert call(f"dataset to={tmp_path / 'whole'} {arguments}").code == 0
    whole = files(tmp_path / "whole")
    died = tmp_path / "died"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{REPOSITORY / 'tests' / 'dataset' / 'deaths'}{os.pathsep}{REPOSITORY}",
        "LP_RAY_TEST_STEP": step,
        "LP_RAY_TEST_TIMES": str(times),
        "LP_RAY_TEST_DIED": str(died),
    }
    command = [sys.executable, "-m", "jobs.dataset", f"to={tmp_path / 'set'}", *arguments.split()]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE)
    while not died.exists():
        assert process.poll() is None, process.stderr and process.stderr.read().decode()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()  # type: ignore[union-attr]
    half = files(tmp_path / "set")
    assert 0 < len(half) < len(whole) and "README.md" not in half
    assert all(whole[path] == digest for path, digest in half.items()), "what is there is whole"
    noted = {path for path in half if path.startswith(".export/shards/")}
    before = {path: (tmp_path / "set" / path).stat().st_mtime_ns for path in half}
    ended = call(f"dataset to={tmp_path / 'set'} {arguments}")
    assert ended.code == 0, ended.output
    assert files(tmp_path / "set") == whole
    shards = [json.loads((tmp_path / "set" / path).read_text()) for path in noted]
    written = [file["name"] for shard in shards for file in shard["files"]]
    assert all((tmp_path / "set" / path).stat().st_mtime_ns == before[path] for path in written), "not written again"


def test_a_place_with_something_else_is_refused(output: Path, tmp_path: Path, call: Call) -> None:
    line = f"dataset output={output} to={tmp_path / 'set'} format=webdataset"
    assert call(line).code == 0
    assert call(line).code == 0, "the same export again is no other one"
    ended = call(f"{line} seed=1")
    assert ended.code == 2 and "holds an export of other pairs or settings" in ended.output
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    ended = call(f"dataset output={output} to={tmp_path / 'mine'} format=webdataset")
    assert ended.code == 2 and "is not empty" in ended.output and files(tmp_path / "mine").keys() == {"thesis.txt"}


def test_a_video_that_is_not_its_rows_stops_the_export_and_one_that_is_missing_is_left_out(
    tmp_path: Path, call: Call
) -> None:
    layout = layout_of(tmp_path / "out")
    rows = [row(layout, f"s{n}", "d", b"video %d" % n) for n in range(4)]
    write(layout, rows)
    paths = [Path(made["video_uri"].removeprefix("file://")) for made in rows]
    paths[0].unlink()
    ended = call(f"dataset output={tmp_path / 'out'} to={tmp_path / 'a'} format=webdataset")
    assert ended.code == 0 and "left out: 1 (its video is missing)" in ended.output
    paths[1].write_bytes(b"Video 1")
    ended = call(f"dataset output={tmp_path / 'out'} to={tmp_path / 'b'} format=webdataset")
    assert ended.code == 1 and "is not the file that its row states" in ended.output
    assert rows[1]["pair_id"] in ended.output and not list((tmp_path / "b").glob("*.tar"))


def test_one_video_under_several_ids_goes_in_once(tmp_path: Path, call: Call) -> None:
    layout = layout_of(tmp_path / "out")
    made = row(layout, "s", "d", b"video")
    write(layout, [made, {**made, "source_id": "same"}, {**made, "pair_id": "0" * 32, "kind": "gif"}])
    ended = call(f"dataset output={tmp_path / 'out'} to={tmp_path / 'set'} format=webdataset")
    assert "train: 1 videos in 1 shards" in ended.output and "left out: 1 (the same work again)" in ended.output
    assert "left out: 1 (no video)" in ended.output


def test_an_export_to_an_object_store_is_the_same(output: Path, tmp_path: Path, s3_bucket: str, call: Call) -> None:
    arguments = f"output={output} format=webdataset {SPLIT} {SMALL}"
    assert call(f"dataset to={tmp_path / 'set'} {arguments}").code == 0
    assert call(f"dataset to=s3://{s3_bucket}/set {arguments}").code == 0
    found = storage.list_files(f"s3://{s3_bucket}/set", deep=True)
    there = {info.uri.partition("/set/")[2]: hashlib.sha256(storage.read_bytes(info.uri)).hexdigest() for info in found}
    assert there == files(tmp_path / "set")
