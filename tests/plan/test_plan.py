"""The plan has keys for all pairs, failures for unreachable inputs, and the pairs still to be made."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import s3fs

from lp_ray.base.errors import RefusedError
from lp_ray.contract.manifest import check_manifest
from lp_ray.contract.options import PairOptions
from lp_ray.output.results import Settled
from lp_ray.plan.pairing import Pairs, pair_up
from lp_ray.plan.planning import Identity, Plan, leave_out_settled, make_plan, wanted_rows
from lp_ray.plan.said import Decided, Said
from lp_ray.storage import Policy


def plan_of(folder: Path, n_sources: int = 3, identity: Identity | None = None, **columns: list[object]) -> Plan:
    for name in ("d.mp4", *(f"s{i}.jpg" for i in range(n_sources))):
        if not (folder / name).exists():
            (folder / name).write_text(name)
    uris = [str(folder / f"s{i}.jpg") for i in range(n_sources)]
    sources = check_manifest(pa.table({"uri": uris, **columns}), "source", "s")
    drivings = check_manifest(pa.table({"uri": [str(folder / "d.mp4")], "meta_take": [7]}), "driving", "d")
    pairs = pair_up("cross", n_sources, 1, PairOptions())
    return make_plan(sources, drivings, None, pairs, identity or Identity("e", "l"), Policy(), "preview")


def ids(plan: Plan) -> list[str]:
    found: list[str] = plan.pair_ids.to_pylist()
    return found


def settled(done: list[str], failed: dict[str, int]) -> Settled:
    known = pa.array([*done, *failed], pa.string())
    is_done = np.arange(len(known)) < len(done)
    return Settled(
        known,
        is_done,
        ~is_done,
        np.zeros(len(is_done), np.bool_),
        np.array([1] * len(done) + [*failed.values()], np.int64),
        np.zeros(len(is_done), np.bool_),
        np.zeros((len(is_done), 2), np.int8),
    )


def test_keys_do_not_depend_on_ids_or_row_order_but_on_bytes_and_engine(tmp_path: Path) -> None:
    first = plan_of(tmp_path)
    assert ids(plan_of(tmp_path, source_id=["x", "y", "z"])) == ids(first)
    assert ids(plan_of(tmp_path, identity=Identity("other", "l"))) != ids(first)
    assert set(ids(plan_of(tmp_path, face=["0", None, None]))) & set(ids(first)) == set(ids(first)[1:])
    os.utime(tmp_path / "s1.jpg", ns=(1, 1))
    assert [a == b for a, b in zip(ids(plan_of(tmp_path)), ids(first), strict=True)] == [True, False, True]


def test_what_cannot_be_reached_fails_alone(tmp_path: Path) -> None:
    plan_of(tmp_path)
    (tmp_path / "s1.jpg").unlink()
    (tmp_path / "s1.jpg").mkdir()
    plan = plan_of(tmp_path)
    failures = [plan.failure(pair) for pair in range(3)]
    assert [failure and failure.error_class for failure in failures] == [None, "MissingInputError", None]
    assert plan.startable().tolist() == [0, 2]


def test_the_same_file_under_two_ids_is_work_that_is_done_once(tmp_path: Path) -> None:
    """Both pairs are in the plan under one key. Only the first is to be made, and both want a row."""
    plan_of(tmp_path, 1)
    uri = str(tmp_path / "s0.jpg")
    table = check_manifest(pa.table({"uri": [uri, uri], "source_id": ["a", "b"]}), "source", "s")
    drivings = check_manifest(pa.table({"uri": [str(tmp_path / "d.mp4")], "driving_id": ["d"]}), "driving", "d")
    pairs = pair_up("cross", 2, 1, PairOptions())
    plan = make_plan(table, drivings, None, pairs, Identity("e", "l"), Policy(), "preview")
    assert plan.todo.tolist() == [0] and len(set(ids(plan))) == 1
    wanted, _ = wanted_rows(plan, "preview")
    assert wanted["source_id"].to_pylist() == ["a", "b"] and wanted["pair_id"].to_pylist() == ids(plan)
    leave_out_settled(plan, settled([], {}), retry_failed=False)
    assert plan.todo.tolist() == [0]


def test_pairs_that_stand_twice_are_refused_all_at_once(tmp_path: Path) -> None:
    plan_of(tmp_path)
    sources = check_manifest(pa.table({"uri": [str(tmp_path / f"s{i}.jpg") for i in range(3)]}), "source", "s")
    drivings = check_manifest(pa.table({"uri": [str(tmp_path / "d.mp4")], "driving_id": ["d"]}), "driving", "d")
    pairs = Pairs(np.array([0, 1, 0, 1, 2]), np.zeros(5, np.int64), np.zeros(5, np.int64), (PairOptions(),))
    with pytest.raises(RefusedError, match=r"2 pairs stand more than once .*' with 'd' in rows 0 and 2; .*1 and 3"):
        make_plan(sources, drivings, None, pairs, Identity("e", "l"), Policy(), "preview")


def test_settled_pairs_are_left_out_and_attempts_go_on(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    a, b, _ = ids(plan)
    before = settled([a], {b: 2, "of another manifest": 1})
    leave_out_settled(plan, before, retry_failed=False)
    assert (plan.todo.tolist(), plan.n_done, plan.n_failed_before) == ([2], 1, 1)
    plan = plan_of(tmp_path)
    leave_out_settled(plan, before, retry_failed=True)
    assert plan.todo.tolist() == [1, 2] and plan.attempts.tolist() == [0, 2, 0]
    assert plan.n_failed_before == 0


@pytest.mark.parametrize("retry", [False, True])
def test_what_people_said_goes_before_retry(tmp_path: Path, retry: bool) -> None:
    """Kept and failed: made again. Rejected and failed: left. Done or never made: as without them."""
    plan = plan_of(tmp_path)
    a, b, c = ids(plan)
    said = Said(np.array([True, True, False]), np.array([False, False, True]))
    leave_out_settled(plan, settled([a], {b: 1, c: 1}), retry_failed=retry, said=said)
    assert plan.todo.tolist() == [1] and plan.decided == Decided(again=1, left=1, done=1)
    assert (plan.n_done, plan.n_failed_before) == (1, 1)
    plan = plan_of(tmp_path)
    leave_out_settled(plan, settled([], {b: 1}), retry_failed=retry, said=Said(said.rejected, said.kept))
    assert plan.todo.tolist() == [0, 2], "a pair that nobody has made yet is made, whatever was said of it"
    assert plan.identities().column_names == ["pair_id", "source_id", "driving_id"] and len(plan.identities()) == 3


def test_meta_columns_of_both_manifests_reach_the_pair(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, meta_group=["x", "y", "z"])
    found = {name: value for name, value in plan.meta(1).items() if name.startswith("meta_")}
    assert found == {"meta_group": "y", "meta_take": 7}


def test_rows_that_no_pair_uses_are_not_asked_for_and_the_others_keep_theirs(tmp_path: Path) -> None:
    """A manifest may have more rows than its pairs use: a missing picture that no pair uses is no problem."""
    whole = plan_of(tmp_path, meta_group=["x", "y", "z"])
    sources = check_manifest(
        pa.table({"uri": [str(tmp_path / f"s{i}.jpg") for i in (0, 9, 1, 2)], "meta_group": list("x?yz")}),
        "source",
        "s",
    )
    drivings = check_manifest(pa.table({"uri": [str(tmp_path / "d.mp4")], "meta_take": [7]}), "driving", "d")
    wanted = Pairs(np.array([3, 2]), np.zeros(2, np.int64), np.zeros(2, np.int64), (PairOptions(),))
    plan = make_plan(sources, drivings, None, wanted, Identity("e", "l"), Policy(), "preview")
    assert ids(plan) == [ids(whole)[2], ids(whole)[1]]
    assert len(plan.sources) == 2 and plan.startable().tolist() == [1, 0]
    assert [plan.source(pair).uri.rpartition("/")[2] for pair in (0, 1)] == ["s2.jpg", "s1.jpg"]
    assert [plan.meta(pair)["meta_group"] for pair in (0, 1)] == ["z", "y"]


def test_a_version_in_the_manifest_is_taken_at_its_word(tmp_path: Path) -> None:
    found = plan_of(tmp_path)
    os.utime(tmp_path / "s0.jpg", ns=(1, 1))
    stated = plan_of(tmp_path, version=["1", "", None])
    assert [a == b for a, b in zip(ids(stated), ids(found), strict=True)] == [False, True, True]
    (tmp_path / "s0.jpg").unlink()
    (tmp_path / "s0.jpg").mkdir()
    again = plan_of(tmp_path, version=["1", "", None])
    assert ids(again) == ids(stated) and again.failure(0) is None, "whether it is there shows when it is read"


def test_versions_of_a_whole_plan_are_one_listing_of_each_prefix(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two thousand sources under one prefix and a driving under another: three requests, and none for stated ones."""
    names = [f"portraits/{i:05d}.jpg" for i in range(2000)]
    s3fs.S3FileSystem().pipe({f"{s3_bucket}/{name}": b"1" for name in (*names, "clips/d.mp4")}, batch_size=32)
    asked: list[str] = []
    original = s3fs.S3FileSystem._call_s3

    async def call(self: s3fs.S3FileSystem, method: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(method)
        return await original(self, method, *args, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)
    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", s3fs.core.sync_wrapper(call))
    s3fs.S3FileSystem.clear_instance_cache()
    uris = [f"s3://{s3_bucket}/{name}" for name in names]
    drivings = check_manifest(pa.table({"uri": [f"s3://{s3_bucket}/clips/d.mp4"]}), "driving", "d")

    def plan(**columns: list[str]) -> Plan:
        sources = check_manifest(pa.table({"uri": uris, **columns}), "source", "s")
        pairs = pair_up("cross", len(uris), 1, PairOptions())
        return make_plan(sources, drivings, None, pairs, Identity("e", "l"), Policy(), "preview")

    assert len(plan().startable()) == 2000
    assert asked == ["list_objects_v2"] * 3
    asked.clear()
    assert len(plan(version=[str(i) for i in range(2000)]).startable()) == 2000
    assert asked == ["list_objects_v2"]
    s3fs.S3FileSystem.clear_instance_cache()
