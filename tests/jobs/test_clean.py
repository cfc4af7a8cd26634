"""jobs.clean removes what dead jobs left, and keeps results and a living job's files; on local files and on S3."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.exit_codes import EXIT_DONE, EXIT_REFUSED
from lp_ray import storage
from lp_ray.output import results
from lp_ray.output.layout import OutputLayout, TemplateLayout
from lp_ray.storage.filesystems import filesystem
from tests.running import RunJob, helpers, read_line

DONE_KEY, LOOSE_KEY, ORPHAN = "a" * 32, "b" * 32, "c" * 32


@dataclass
class Place:
    """An output as a dead job leaves it: two results, one of them not in the table yet, and a lot of litter."""

    root: str
    layout: OutputLayout
    store: TemplateLayout
    keep: set[str]
    litter: set[str]

    def files(self) -> set[str]:
        """Everything but leases and the table."""
        everything = {info.uri for info in storage.list_files(self.root, deep=True)}
        return {uri for uri in everything if not uri.endswith((".json", ".parquet", ".arrow"))}


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    root = storage.normalise(str(tmp_path / "out"))
    if request.param == "s3":
        root = f"s3://{request.getfixturevalue('s3_bucket')}/out"
    layout, store = OutputLayout(root, "dead"), TemplateLayout(storage.join(root, "templates"), "dead")
    rows = [
        {"pair_id": key, "status": "done", "bytes": 5, "finished_at": datetime.now(UTC)}
        for key in (DONE_KEY, LOOSE_KEY)
    ]
    results.flush(layout, rows[:1])
    results.write_row(layout, rows[1])
    keep = {layout.result(DONE_KEY, ".mp4"), layout.result(LOOSE_KEY, ".gif"), store.template("t")}
    keep.add(layout.comparison(DONE_KEY, ".mp4"))
    litter = {layout.result(ORPHAN, ".mp4"), layout.comparison(ORPHAN, ".png")}
    litter |= {layout.segment(ORPHAN, 0, ".mp4"), layout.segment(DONE_KEY, 1, ".gif"), store.part("t", 3)}
    if request.param == "local":
        begun = [
            storage.join(folder, f".{uuid.uuid4().hex}.tmp") for folder in (layout.videos, store.root, layout.rows)
        ]
        litter |= set(begun)
    for uri in keep | litter:
        storage.put_bytes(uri, b"bytes")
    if request.param == "local":
        stale = time.time() - 7200
        os.utime(begun[1].removeprefix("file://"), (stale, stale))
        fresh = storage.join(store.root, f".{uuid.uuid4().hex}.tmp")  # another job may be writing it
        storage.put_bytes(fresh, b"half")
        keep.add(fresh)
    return Place(root, layout, store, keep, litter)


@pytest.fixture
def holder(place: Place, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A living job: it holds the lease on the folder named by the test."""
    folder = {"output": place.layout.lease, "store": place.store.lease}[request.param]
    with helpers("tests.output.lease_holder") as spawn:
        process = spawn(folder, "6", "0", "hold")
        assert read_line(process) == "held"
        yield process


def test_a_dry_run_lists_what_cleaning_removes_and_results_stay(place: Place, call_job: RunJob) -> None:
    """The listing names every leftover; the run after it removes exactly those, and takes the loose row in."""
    before = place.files()
    assert before >= place.keep | place.litter
    listed = call_job("clean", f"output={place.root}", "dry_run=true")
    assert listed.code == EXIT_DONE, listed.output
    assert "would remove" in listed.output
    assert place.files() == before
    for uri in place.litter:
        assert storage.display(uri.partition("/dead")[0]) in listed.output, listed.output
    for uri in place.keep:
        assert storage.display(uri) not in listed.output, listed.output
    cleaned = call_job("clean", f"output={place.root}")
    assert cleaned.code == EXIT_DONE, cleaned.output
    assert place.files() == place.keep
    rows = results.read_results(place.root)
    assert sorted(rows["pair_id"].to_pylist()) == [DONE_KEY, LOOSE_KEY]
    assert storage.list_files(place.layout.rows) == []
    assert storage.list_files(place.store.staging, deep=True) == []
    again = call_job("clean", f"output={place.root}")
    assert again.output.count("removed nothing") == 2, again.output


def test_labels_go_with_their_pairs(place: Place, call_job: RunJob) -> None:
    """Labels of a pair with a row stay, others go; a half-written file goes too."""
    for key in (DONE_KEY, LOOSE_KEY, ORPHAN):
        storage.put_bytes(place.layout.labels_of(key), b"labels")
    half = storage.join(place.layout.labels, f".{uuid.uuid4().hex}.tmp")
    storage.put_bytes(half, b"lab")
    assert call_job("clean", f"output={place.root}").code == EXIT_DONE
    left = {info.uri for info in storage.list_files(place.layout.labels)}
    assert left - {half} == {place.layout.labels_of(DONE_KEY), place.layout.labels_of(LOOSE_KEY)}
    assert half not in left or not storage.is_local(place.root), "object stores have no half-written files"


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_uploads_that_never_ended_are_given_up(place: Place, call_job: RunJob) -> None:
    """A process killed in the middle of an upload in parts leaves them where no listing of files shows them; in a
    shared template store another job may be at it just now."""
    fs, _ = filesystem(place.root)
    for uri in (place.layout.result(ORPHAN, ".mp4"), place.store.template("u")):
        bucket, _, key = uri.partition("://")[2].partition("/")
        upload = fs.call_s3("create_multipart_upload", Bucket=bucket, Key=key)["UploadId"]
        fs.call_s3("upload_part", Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"x" * (5 << 20))
    listed = call_job("clean", f"output={place.root}", "dry_run=true")
    assert "an upload that never ended: " + place.layout.result(ORPHAN, ".mp4") in listed.output, listed.output
    assert len(storage.unfinished_uploads(place.root)) == 2
    assert len(storage.unfinished_uploads(place.root.rpartition("/")[0])) == 2, "the whole bucket"
    cleaned = call_job("clean", f"output={place.root}")
    assert "1 an upload that never ended" in cleaned.output, cleaned.output
    assert [upload.uri for upload in storage.unfinished_uploads(place.root)] == [place.store.template("u")]


@pytest.mark.parametrize("holder", ["output"], indirect=True)
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_the_output_of_a_living_job_is_left_alone(
    place: Place, holder: subprocess.Popen[str], call_job: RunJob
) -> None:
    """Nothing is removed, and the holder is named."""
    before = place.files()
    ended = call_job("clean", f"output={place.root}")
    assert ended.code == EXIT_REFUSED and f"process {holder.pid} on " in ended.output, ended.output
    assert place.files() == before


@pytest.mark.parametrize("holder", ["store"], indirect=True)
@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_the_staging_of_a_living_job_stays_in_a_shared_template_store(
    place: Place, holder: subprocess.Popen[str], call_job: RunJob
) -> None:
    """Of two jobs that fill one store one is alive: only the other one's pieces go."""
    other = TemplateLayout(place.store.root, "other").part("t", 0)
    storage.put_bytes(other, b"bytes")
    ended = call_job("clean", f"templates={place.store.root}")
    assert ended.code == EXIT_DONE and "alive, left alone" in ended.output, ended.output
    assert storage.exists(place.store.part("t", 3)) and not storage.exists(other)
    assert storage.exists(place.store.template("t"))


def test_a_place_must_be_named(call_job: RunJob) -> None:
    ended = call_job("clean")
    assert ended.code == EXIT_REFUSED and "output=" in ended.output
