"""The plan: keys for all pairs, failures for what cannot be reached, and what is left to do."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from lp_ray.errors import RefusedError
from lp_ray.manifest import check_manifest
from lp_ray.options import PairOptions
from lp_ray.pairing import pair_up
from lp_ray.plan import Identity, Plan, leave_out_settled, make_plan
from lp_ray.storage import Policy


def plan_of(folder: Path, n_sources: int = 3, identity: Identity | None = None, **columns: list[object]) -> Plan:
    for name in ("d.mp4", *(f"s{i}.jpg" for i in range(n_sources))):
        if not (folder / name).exists():
            (folder / name).write_text(name)
    uris = [str(folder / f"s{i}.jpg") for i in range(n_sources)]
    sources = check_manifest(pa.table({"uri": uris, **columns}), "source", "s")
    drivings = check_manifest(pa.table({"uri": [str(folder / "d.mp4")], "meta_take": [7]}), "driving", "d")
    pairs = pair_up("cross", n_sources, 1, PairOptions())
    return make_plan(sources, drivings, None, pairs, identity or Identity("e", "l", {}), Policy(), "preview")


def test_keys_do_not_depend_on_ids_or_row_order_but_on_bytes_and_engine(tmp_path: Path) -> None:
    first = plan_of(tmp_path)
    assert plan_of(tmp_path, source_id=["x", "y", "z"]).pair_ids == first.pair_ids
    assert plan_of(tmp_path, identity=Identity("other", "l", {})).pair_ids != first.pair_ids
    assert set(plan_of(tmp_path, face=["0", None, None]).pair_ids) & set(first.pair_ids) == set(first.pair_ids[1:])
    os.utime(tmp_path / "s1.jpg", ns=(1, 1))
    assert [a == b for a, b in zip(plan_of(tmp_path).pair_ids, first.pair_ids, strict=True)] == [True, False, True]


def test_what_cannot_be_reached_fails_alone(tmp_path: Path) -> None:
    plan_of(tmp_path)
    (tmp_path / "s1.jpg").unlink()
    (tmp_path / "s1.jpg").mkdir()
    plan = plan_of(tmp_path)
    assert {pair: failure.error_class for pair, failure in plan.failures.items()} == {1: "MissingInputError"}


def test_twins_are_refused_by_name(tmp_path: Path) -> None:
    plan_of(tmp_path, 1)
    uri = str(tmp_path / "s0.jpg")
    table = check_manifest(pa.table({"uri": [uri, uri], "source_id": ["a", "b"]}), "source", "s")
    drivings = check_manifest(pa.table({"uri": [str(tmp_path / "d.mp4")], "driving_id": ["d"]}), "driving", "d")
    with pytest.raises(RefusedError, match=r"pairs 0 and 1 are the same work \('a' with 'd' and 'b' with 'd'\)"):
        make_plan(
            table, drivings, None, pair_up("cross", 2, 1, PairOptions()), Identity("e", "l", {}), Policy(), "preview"
        )


def test_settled_pairs_are_left_out_and_attempts_go_on(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    a, b, c = plan.pair_ids
    leave_out_settled(plan, {a}, {b: 2}, retry_failed=False)
    assert (plan.todo.tolist(), plan.n_done, plan.n_failed_before) == ([2], 1, 1)
    plan = plan_of(tmp_path)
    leave_out_settled(plan, {a}, {b: 2}, retry_failed=True)
    assert plan.todo.tolist() == [1, 2] and plan.attempts == {b: 2, c: 0}


def test_meta_columns_of_both_manifests_reach_the_pair(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, meta_group=["x", "y", "z"])
    assert plan.meta(1) == {"meta_group": "y", "meta_take": 7}
