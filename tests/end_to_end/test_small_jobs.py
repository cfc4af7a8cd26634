"""jobs.manifest and jobs.templates, as a user types them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.cli import EXIT_DONE, EXIT_REFUSED, EXIT_SOME_FAILED
from tests.running import Performances, RunJob, write_manifest


@pytest.fixture
def photos(tmp_path: Path, media: Path) -> Path:
    folder = tmp_path / "照片 {1}"
    (folder / "more").mkdir(parents=True)
    for name in ("a.jpg", "a(1).jpg", "a=b.jpg", "more/c.JPG"):
        shutil.copyfile(media / "source" / "s9.jpg", folder / name)
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("*.jpg", ["a(1).jpg", "a.jpg", "a=b.jpg"]),
        ("", ["a(1).jpg", "a.jpg", "a=b.jpg", "more/c.JPG"]),
        ("a=b.jpg", ["a=b.jpg"]),
    ],
)
def test_a_manifest_from_a_glob_a_folder_or_a_file(photos: Path, run_job: RunJob, pattern: str, ids: list[str]) -> None:
    where = photos / pattern if pattern else photos
    ended = run_job("manifest", f"input={where}", "kind=source", f"output={photos / 'out.parquet'}")
    assert ended.code == EXIT_DONE, ended.output
    table = pq.read_table(photos / "out.parquet")
    assert table["source_id"].to_pylist() == ids
    assert table["uri"].to_pylist() == [f"file://{photos}/{name}" for name in ids]


def test_nothing_found_is_refused(photos: Path, run_job: RunJob) -> None:
    ended = run_job("manifest", f"input={photos}/*.gif", "kind=source", f"output={photos / 'out.parquet'}")
    assert ended.code == EXIT_REFUSED and "nothing there" in ended.output
    assert not (photos / "out.parquet").exists()
    ended = run_job("manifest", f"input={photos}", "kind=sauce", f"output={photos / 'out.parquet'}")
    assert ended.code == EXIT_REFUSED and "kind='sauce'" in ended.output


def test_templates_alone_are_made_once(tmp_path: Path, performances: Performances, run_job: RunJob) -> None:
    drivings = write_manifest(
        tmp_path / "d.parquet",
        [
            {"uri": str(performances.nod), "driving_id": "nod", "end_s": 0.5},
            {"uri": str(tmp_path / "missing.mp4"), "driving_id": "missing"},
        ],
    )
    command = (f"drivings={drivings}", f"templates={tmp_path / 'store'}")
    first = run_job("templates", *command)
    assert first.code == EXIT_SOME_FAILED and "1 made" in first.output, first.output
    assert "missing: plan: MissingInputError" in first.output
    stored = [(p.name, p.stat().st_mtime_ns) for p in (tmp_path / "store").glob("*.npz")]
    again = run_job("templates", *command)
    assert "0 made, 1 there already" in again.output, again.output
    assert [(p.name, p.stat().st_mtime_ns) for p in (tmp_path / "store").glob("*.npz")] == stored


@pytest.mark.parametrize("job", ["animate", "templates", "manifest", "sheets", "demo", "clean"])
def test_help_is_readable(run_job: RunJob, job: str) -> None:
    ended = run_job(job, "--help")
    assert ended.code == EXIT_DONE
    assert f"python -m jobs.{job}" in ended.output and "hydra" not in ended.output.lower()
