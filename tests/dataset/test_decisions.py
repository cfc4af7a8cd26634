"""Decisions of people: they go before the conditions, and make nothing of a pair that has no result."""

from __future__ import annotations

from pathlib import Path

import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.dataset.choose import conditions_of, judge
from lp_ray.dataset.decisions import BY_EYE, decided, read_decisions
from lp_ray.output.results import read_results
from lp_ray.output.scan import Scan
from tests.dataset.made import layout_of, row, write
from tests.jobs.conftest import Call, call

__all__ = ["call"]

HEAD = "pair_id,source_id,driving_id,kept\n"


def test_what_was_decided_goes_before_the_conditions(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "out")
    rows = [row(layout, name, "d") for name in ("good", "poor", "kept", "gone", "failed")]
    rows[4]["status"] = "failed"
    write(layout, rows, {"jitter": [1.0, 9.0, 9.0, 1.0, 1.0]})
    said = {"kept": "keep", "gone": "reject", "failed": "keep"}
    lines = [f"{each['pair_id']},{each['source_id']},d,{said[str(each['source_id'])]}" for each in rows[2:]]
    (tmp_path / "by_eye.csv").write_text(HEAD + "\n".join(lines))
    scan = Scan(str(tmp_path / "out"))
    decisions = read_decisions(str(tmp_path / "by_eye.csv"))
    judged = list(decided(judge(scan, conditions_of(scan, "jitter < 2", None)), decisions))
    found = {
        name: (bool(kept), reason)
        for batch in judged
        for name, kept, reason in zip(batch.rows["source_id"].to_pylist(), batch.kept, batch.reasons, strict=True)
    }
    assert found == {
        "good": (True, None),
        "poor": (False, "jitter < 2"),
        "kept": (True, None),
        "gone": (False, BY_EYE),
        "failed": (False, "failed"),
    }


def test_a_job_makes_again_what_was_kept_and_leaves_what_was_rejected(tmp_path: Path, call: Call) -> None:
    """`lp-ray animate decisions=`: of two failed pairs one is tried again, and the plan says what became of each."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.jpg").write_bytes(b"no picture")
    (tmp_path / "d.perf.csv").write_text("fps,smile\n25,0\n")
    tables = {"sources": ["a.jpg", "b.jpg"], "drivings": ["d.perf.csv"]}
    for name, files in tables.items():
        (tmp_path / f"{name}.csv").write_text("uri\n" + "\n".join(f"{tmp_path}/{file}" for file in files))
    job = (
        f"animate sources={tmp_path}/sources.csv drivings={tmp_path}/drivings.csv output={tmp_path}/out runtime=inline"
    )
    assert call(job).code == 3
    rows = {str(each["source_id"]): each for each in read_results(str(tmp_path / "out")).to_pylist()}
    assert [each["attempts"] for each in rows.values()] == [1, 1]
    first, second = rows
    lines = [f"{rows[first]['pair_id']},{first},{rows[first]['driving_id']},keep"]
    lines += [f"{rows[second]['pair_id']},{second},{rows[second]['driving_id']},reject", "x,s,d,keep"]
    (tmp_path / "by_eye.csv").write_text(HEAD + "\n".join(lines))
    for how in ("", " retry=failed"):
        planned = call(f"{job} decisions={tmp_path}/by_eye.csv dry_run=true{how}")
        assert "1 to do" in planned.output and planned.code == 0, planned.output
        said = (
            "1 kept are made again, 1 rejected are left as they ended, 0 are done and stay, 1 are none of these pairs"
        )
        assert said in planned.output
    assert call(f"{job} decisions={tmp_path}/by_eye.csv").code == 3
    again = {str(each["source_id"]): each["attempts"] for each in read_results(str(tmp_path / "out")).to_pylist()}
    assert again == {first: 2, second: 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pair_id,kept\nx,keep\n", "no column 'source_id'"),
        (HEAD + "x,s,d,maybe\n", "row 0: kept='maybe' must be keep or reject"),
        (HEAD + "x,s,d,keep\nx,s,d,reject\n", "a pair is decided twice"),
    ],
)
def test_what_is_no_file_of_decisions_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    with pytest.raises(RefusedError, match=said):
        read_decisions(str(tmp_path / "d.csv"))
