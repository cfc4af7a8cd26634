"""Each planned pair has its row, and rows made from older file content are retired."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray import storage
from lp_ray.contract.result_schema import DONE, FAILED
from lp_ray.output import reconcile as module
from lp_ray.output import results
from lp_ray.output.layout import OutputLayout
from lp_ray.output.reconcile import Reconciled, read_history, reconcile

INPUTS = {"source_uri": "file:///s.jpg", "source_version": "1", "driving_uri": "file:///d.mp4", "driving_version": "1"}
REQUEST = {"source_id": "s", "driving_id": "d", "options": '{"crf": 18}', "engine": "preview"}


@pytest.fixture
def layout(tmp_path: Path) -> OutputLayout:
    return OutputLayout(storage.normalise(str(tmp_path)), "run")


def row(pair_id: str, status: str = DONE, **values: Any) -> dict[str, Any]:
    return {"pair_id": pair_id, "status": status, "finished_at": datetime.now(UTC), **REQUEST, **INPUTS, **values}


def planned(*rows: dict[str, Any]) -> pa.Table:
    names = ("pair_id", *REQUEST, *INPUTS)
    return pa.table({name: pa.array([{**REQUEST, **INPUTS, **r}[name] for r in rows], pa.string()) for name in names})


def stands(layout: OutputLayout) -> set[tuple[str, str, str]]:
    table = pq.read_table(storage.display(layout.results).removeprefix("file://"))
    return set(zip(*(table[name].to_pylist() for name in ("pair_id", "source_id", "status")), strict=True))


def test_the_rows_of_a_files_older_version_are_retired_once_its_new_ones_stand(layout: OutputLayout) -> None:
    """Failed rows of a broken file, done rows of what it held: neither stays beside the repaired one's."""
    before = [row("old", FAILED, source_version="0"), row("older", source_version="00"), row("other", source_id="x")]
    results.flush(layout, before)
    plan = planned({"pair_id": "new"})
    assert reconcile(layout, plan, {}) == Reconciled(), "the new pair has no row yet: what stands is not given up"
    results.flush(layout, [row("new")])
    assert reconcile(layout, plan, {}) == Reconciled(retired=2)
    assert stands(layout) == {("new", "s", DONE), ("other", "x", DONE)}
    assert sorted(read_history(layout)["pair_id"].to_pylist()) == ["old", "older"]
    assert reconcile(layout, plan, {}) == Reconciled()


def test_rows_of_other_options_another_engine_or_another_source_stay(layout: OutputLayout) -> None:
    others = [row("a", options='{"crf": 30}'), row("b", engine="liveportrait"), row("c", driving_id="e")]
    results.flush(layout, [*others, row("new")])
    assert reconcile(layout, planned({"pair_id": "new"}), {}) == Reconciled()
    assert len(stands(layout)) == 4


def test_rows_that_an_older_version_of_the_package_wrote_are_retired_by_those_made_again(layout: OutputLayout) -> None:
    """They name no inputs, and not the options that came later, which are at their defaults."""
    old = row("epoch2") | dict.fromkeys(INPUTS)
    results.flush(layout, [old, row("new", options='{"crf": 18, "audio": "driving"}')])
    assert reconcile(layout, planned({"pair_id": "new"}), {}) == Reconciled(retired=1)
    assert stands(layout) == {("new", "s", DONE)}


def test_the_same_work_under_several_ids_has_a_row_for_each_with_its_own_meta(layout: OutputLayout) -> None:
    results.flush(layout, [row("p", meta_who="first", bytes=5)])
    plan = planned({"pair_id": "p"}, {"pair_id": "p", "source_id": "twin"}, {"pair_id": "q", "source_id": "unmade"})
    meta = {"meta_who": pa.chunked_array([["first", "second", "third"]])}
    assert reconcile(layout, plan, meta) == Reconciled(adopted=1)
    table = results.read_results(layout.root).sort_by("source_id")
    assert table.select(["pair_id", "source_id", "meta_who", "bytes"]).to_pylist() == [
        {"pair_id": "p", "source_id": "s", "meta_who": "first", "bytes": 5},
        {"pair_id": "p", "source_id": "twin", "meta_who": "second", "bytes": 5},
    ]
    assert reconcile(layout, plan, meta) == Reconciled()


def test_a_job_killed_while_it_retires_loses_no_row_and_the_next_one_finishes(
    layout: OutputLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    results.flush(layout, [row("old", source_version="0"), row("new")])
    plan = planned({"pair_id": "new"})

    def killed(uri: str, rows: pa.Table) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module.parts, "replace_part", killed)
        reconcile(layout, plan, {})
    assert {pair for pair, _, _ in stands(layout)} == {"old", "new"}
    assert reconcile(layout, plan, {}) == Reconciled(retired=1)
    assert set(read_history(layout)["pair_id"].to_pylist()) == {"old"}
