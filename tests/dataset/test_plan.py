"""The plan of an export: seconds and little memory for a hundred thousand rows, the same plan every time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.dataset.choose import conditions_of, judge
from lp_ray.dataset.plan import MISSING, Plan, Request, make_plan
from lp_ray.dataset.split import parse_sides
from lp_ray.dataset.spool import Spool
from lp_ray.output.scan import Scan
from tests.dataset.made import layout_of, many, measured, row, write

REQUEST = Request("webdataset", parse_sides("train=0.8,val=0.1,test=0.1"), 0, 10**9, 100_000)


def plan_of(
    output: Path, folder: Path, where: str | None = None, size: int = 1_500_000, request: Request = REQUEST
) -> Plan:
    """Plan the export of an output whose videos all exist, as far as a listing of them says."""
    scan = Scan(str(output))
    ids = pa.chunked_array([chunk for table in scan.batches(["pair_id"]) for chunk in table["pair_id"].chunks])
    stored = pa.chunked_array([[f"{pair_id}/{size}" for pair_id in ids.to_pylist()]], pa.string())
    folder.mkdir(exist_ok=True)
    judged = judge(scan, conditions_of(scan, where, None), None)
    return make_plan(request, judged, scan.schema, None, stored, [], folder, layout_of(output).root)


def test_a_hundred_thousand_rows_are_planned_in_seconds_and_bounded_memory(tmp_path: Path) -> None:
    many(layout_of(tmp_path / "out"), 100_000, 1000, 500)
    with measured() as spent:
        plan = plan_of(tmp_path / "out", tmp_path / "spool")
    print(f"100,000 rows: {spent}")
    assert spent.arrow < 250e6 and spent.python < 100e6
    counted = plan.n_samples + plan.left_out.total()
    assert counted == 100_000 and len(plan.shards) == sum(-(-n // 666) for n in _of_sides(plan))
    places = plan.places()
    assert len(np.unique(places)) == len(places)


def test_one_person_in_several_files_stands_on_one_side(tmp_path: Path) -> None:
    """Of 40 sources, each person has two. Without `same_person` some of them stand on two sides."""
    people = np.random.default_rng(3).normal(size=(20, 128))
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    many(layout_of(tmp_path / "out"), 2000, 40, 40, np.concatenate([people, people + 0.01]))

    def people_by_side(same_person: float | None, name: str) -> list[set[int]]:
        request = replace(REQUEST, sides=parse_sides("train=0.5,test=0.5"), same_person=same_person)
        plan = plan_of(tmp_path / "out", tmp_path / name, request=request)
        ids = {side: plan.rows.take(plan.places(side))["source_id"].to_pylist() for side in ("train", "test")}
        return [{int(source[1:]) % 20 for source in found} for found in ids.values()]

    train, test = people_by_side(0.45, "a")
    assert train and test and not train & test
    train, test = people_by_side(None, "b")
    assert train & test


def _of_sides(plan: Plan) -> list[int]:
    return [len(plan.places(side)) for side in plan.request.sides.names]


def test_the_same_rows_give_the_same_plan_and_others_another(tmp_path: Path) -> None:
    many(layout_of(tmp_path / "out"), 2000, 50, 40)
    first, second = (plan_of(tmp_path / "out", tmp_path / name) for name in ("a", "b"))
    assert first.digest == second.digest
    assert all(np.array_equal(a.places, b.places) for a, b in zip(first.shards, second.shards, strict=True))
    assert plan_of(tmp_path / "out", tmp_path / "c", "jitter < 3.9").digest != first.digest


def test_an_export_of_nothing_is_refused_with_the_reasons(tmp_path: Path) -> None:
    many(layout_of(tmp_path / "out"), 100, 10, 10)
    with pytest.raises(RefusedError, match=r"no pair is left to export: 100 jitter < 0"):
        plan_of(tmp_path / "out", tmp_path / "a", "jitter < 0")
    with pytest.raises(RefusedError, match="100 its video is missing"):
        plan_of(tmp_path / "out", tmp_path / "b", size=7)


def test_rows_come_from_the_spool_in_the_order_asked_for(tmp_path: Path) -> None:
    tables = [pa.table({"n": pa.array(range(first, first + 10))}) for first in range(0, 100, 10)]
    spool = Spool.write(tmp_path / "rows.arrow", tables[0].schema, tables)
    places = np.random.default_rng(0).permutation(100)[:37]
    assert spool.take(places)["n"].to_pylist() == places.tolist()
    assert spool.take(np.zeros(0, np.int64)).num_rows == 0


def test_a_row_that_names_a_file_outside_of_its_output_is_left_out(tmp_path: Path) -> None:
    """Whoever made the results table, an export copies nothing from elsewhere."""
    layout = layout_of(tmp_path / "out")
    rows = [row(layout, f"s{n}", "d0", b"video") for n in range(6)]
    rows[1]["video_uri"] = "file:///etc/passwd"
    rows[2]["labels_uri"] = "https://example.com/labels.parquet"
    rows[3]["video_uri"] = "../../etc/passwd"
    rows[4]["video_uri"] = f"videos/%2e%2e/%2e%2e/{rows[4]['pair_id']}.mp4"
    rows[5]["labels_uri"] = f"labels/../../{rows[5]['pair_id']}.parquet"
    write(layout, rows)
    plan = plan_of(tmp_path / "out", tmp_path / "plan", size=5, request=replace(REQUEST, sides=parse_sides(None)))
    assert plan.left_out == {MISSING: 5}
    assert plan.rows.column("source_id").to_pylist() == ["s0"]
