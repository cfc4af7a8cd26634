"""jobs.manifest and jobs.templates, as a user types them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.exit_codes import EXIT_DONE, EXIT_REFUSED, EXIT_SOME_FAILED
from tests.generated import Generated
from tests.running import Performances, RunJob, write_manifest


@pytest.fixture
def photos(tmp_path: Path, generated: Generated) -> Path:
    folder = tmp_path / "照片 {1}"
    (folder / "more").mkdir(parents=True)
    for name in ("a.jpg", "a(1).jpg", "a=b.jpg", "more/c.JPG"):
        shutil.copyfile(generated.portrait, folder / name)
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
def test_a_manifest_from_a_glob_a_folder_or_a_file(
    photos: Path, call_job: RunJob, pattern: str, ids: list[str]
) -> None:
    where = photos / pattern if pattern else photos
    ended = call_job("manifest", f"input={where}", "kind=source", f"output={photos / 'out.parquet'}")
    assert ended.code == EXIT_DONE, ended.output
    table = pq.read_table(photos / "out.parquet")
    assert table["source_id"].to_pylist() == ids
    assert table["uri"].to_pylist() == [f"file://{photos}/{name}" for name in ids]


def test_a_manifest_grows_with_its_folder(photos: Path, call_job: RunJob) -> None:
    """Known rows keep their place, id and further columns; new files follow; nothing new leaves the file alone."""
    out = photos / "out.parquet"
    command = ("manifest", f"input={photos}", "kind=source", f"output={out}", "update=true", "versions=true")
    assert call_job(*command).code == EXIT_DONE
    first = pq.read_table(out)
    pq.write_table(first.append_column("meta_who", [["w"] * len(first)]), out)
    shutil.copyfile(photos / "a.jpg", photos / "0 new.jpg")
    (photos / "a.jpg").unlink()
    ended = call_job(*command)
    assert f"{len(first) + 1} sources in {out}, 1 of them new" in ended.output, ended.output
    grown = pq.read_table(out)
    assert grown.slice(0, len(first)).drop_columns(["meta_who"]).equals(first)
    last = grown.to_pylist()[-1]
    assert (last["source_id"], last["meta_who"]) == ("0 new.jpg", None) and last["version"]
    before = out.stat().st_mtime_ns
    assert ", 0 of them new" in call_job(*command).output
    assert out.stat().st_mtime_ns == before
    shutil.copyfile(photos / "0 new.jpg", photos / "a(1).jpg")  # other bytes under a known name, or as good as
    assert ", 0 of them new" in call_job(*command).output
    again = pq.read_table(out)
    changed = [a["source_id"] for a, b in zip(grown.to_pylist(), again.to_pylist(), strict=True) if a != b]
    assert changed == ["a(1).jpg"]


def test_nothing_found_is_refused(photos: Path, call_job: RunJob) -> None:
    ended = call_job("manifest", f"input={photos}/*.gif", "kind=source", f"output={photos / 'out.parquet'}")
    assert ended.code == EXIT_REFUSED and "nothing there" in ended.output
    assert not (photos / "out.parquet").exists()
    ended = call_job("manifest", f"input={photos}", "kind=sauce", f"output={photos / 'out.parquet'}")
    assert ended.code == EXIT_REFUSED and "kind='sauce'" in ended.output


def test_templates_alone_are_made_once(
    tmp_path: Path, performances: Performances, run_job: RunJob, call_job: RunJob
) -> None:
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
    again = call_job("templates", *command)
    assert "0 made, 1 there already" in again.output, again.output
    assert [(p.name, p.stat().st_mtime_ns) for p in (tmp_path / "store").glob("*.npz")] == stored


@pytest.mark.parametrize("job", ["animate", "templates", "manifest", "sheets", "demo", "clean"])
def test_help_is_readable(call_job: RunJob, job: str) -> None:
    ended = call_job(job, "--help")
    assert ended.code == EXIT_DONE
    assert f"lp-ray {job}" in ended.output and "hydra" not in ended.output.lower()
