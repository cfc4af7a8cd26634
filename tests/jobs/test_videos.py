"""Results under readable names: links that go with the output, of names that lead nowhere."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray import storage
from lp_ray.output.by_name import named, readable
from lp_ray.output.layout import OutputLayout
from lp_ray.output.results import flush
from tests.jobs.conftest import Call

IDS = [("photos/a.jpg", "talk"), ("../../etc/passwd", "talk"), ("a b", "talk"), ("a/b", "talk"), (".hidden", "-rf")]
NAMES = ["_.._etc_passwd__talk", "a__talk", "a_b__talk", "a_b__talk-2", "hidden__rf"]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output of finished pairs, and of one that failed."""
    (tmp_path / "out" / "videos").mkdir(parents=True)
    layout = OutputLayout(storage.normalise(str(tmp_path / "out")))
    rows: list[dict[str, Any]] = []
    for n, (source, driving) in enumerate(IDS):
        uri = layout.result(f"{n:032x}", ".mp4")
        Path(uri.removeprefix("file://")).write_bytes(b"video %d" % n)
        rows.append({"pair_id": f"{n:032x}", "source_id": source, "driving_id": driving, "status": "done"})
        rows[-1] |= {"video_uri": uri, "bytes": 7, "finished_at": datetime.now(UTC)}
    rows.append({"pair_id": "f" * 32, "source_id": "failed", "driving_id": "talk", "status": "failed"})
    flush(layout, rows)
    return tmp_path / "out"


def test_links_have_readable_names_and_lead_to_their_results(output: Path, call: Call) -> None:
    ended = call(f"videos output={output}")
    assert ended.code == 0 and "5 links" in ended.output, ended.output
    links = sorted((output / "by_name").iterdir())
    assert sorted(link.stem for link in links) == sorted(NAMES)
    assert {link.read_bytes() for link in links} == {b"video %d" % n for n in range(5)}
    moved = output.with_name("moved")
    shutil.move(output, moved)
    assert all(link.is_symlink() and link.exists() for link in (moved / "by_name").iterdir())


def test_a_second_call_mends_and_takes_away_and_leaves_others_files(output: Path, call: Call) -> None:
    folder = output / "by_name"
    call(f"videos output={output}")
    (folder / "a__talk.mp4").unlink()
    (folder / "a__talk.mp4").symlink_to("nowhere")
    (folder / "gone__talk.mp4").symlink_to("../videos/gone.mp4")
    (folder / "mine.txt").write_text("mine")
    assert call(f"videos output={output}").code == 0
    assert (folder / "a__talk.mp4").read_bytes() == b"video 0"
    assert not os.path.lexists(folder / "gone__talk.mp4") and (folder / "mine.txt").exists()
    (folder / "hidden__rf.mp4").unlink()
    (folder / "hidden__rf.mp4").write_text("mine")
    ended = call(f"videos output={output}")
    assert ended.code == 2 and "choose another folder=…" in ended.output


def test_links_on_an_object_store_are_refused(output: Path, call: Call) -> None:
    ended = call(f"videos output={output} folder=memory://links")
    assert ended.code == 2 and "links are made on this machine's disks only" in ended.output


@given(st.text())
def test_no_id_leads_anywhere(text: str) -> None:
    name = readable(text)
    assert name and "/" not in name and "\0" not in name and not name.startswith((".", "-"))
    assert len(name.encode()) <= 100


def test_names_that_differ_in_case_only_are_told_apart() -> None:
    rows = [{"source_id": name, "driving_id": "d", "pair_id": name, "status": "done"} for name in ("A", "a")]
    assert [name for name, _ in named(rows)] == ["A__d", "a__d-2"]
