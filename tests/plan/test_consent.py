"""Rights of inputs: carried from the manifests to rows, in no key, and required where the job says so."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lp_ray
from lp_ray.base.errors import RefusedError
from lp_ray.contract.manifest import check_manifest, read_manifest
from lp_ray.contract.rights import RIGHTS, ROLES, result_columns
from lp_ray.output.layout import OutputLayout
from lp_ray.output.reconcile import Reconciled, reconcile
from lp_ray.output.results import append, read_results, to_table
from lp_ray.plan.consent import refuse_without_consent
from lp_ray.plan.planning import wanted_rows
from tests.jobs.conftest import Call, call
from tests.plan.test_plan import ids, plan_of

__all__ = ["call"]

TODAY = date(2026, 12, 1)


def test_rights_are_carried_to_every_row_and_change_no_key(tmp_path: Path) -> None:
    bare = plan_of(tmp_path)
    rich = plan_of(
        tmp_path,
        subject_id=["anna", None, "anna"],
        licence=["cc0-1.0"] * 3,
        consent=["explicit", "none", None],
        consent_expires=["2026-12-31", "", None],
        attribution=["photo: A", None, None],
    )
    assert ids(rich) == ids(bare)
    row = rich.meta(0)
    assert row["source_subject_id"] == "anna" and row["source_consent_expires"] == date(2026, 12, 31)
    assert row["driving_consent"] is None and row["meta_take"] == 7
    assert {*result_columns("source"), *result_columns("driving")} < row.keys()


def test_further_ids_of_the_same_work_have_the_rights_of_their_own_row(tmp_path: Path) -> None:
    """One photo under two ids, with consent in one of the rows only: the copied row must not borrow it."""
    plan = plan_of(tmp_path, 2, consent=["explicit", None])
    layout = OutputLayout(f"file://{tmp_path}/out")
    rows, carried = wanted_rows(plan, "preview")
    done = {name: rows[name][0].as_py() for name in rows.column_names}
    append(layout, to_table([{**done, **plan.meta(0), "status": "done"}]))
    twice = rows.set_column(0, "pair_id", pa.array([done["pair_id"]] * 2))
    assert reconcile(layout, twice, carried).adopted == 1
    found = {row["source_id"]: row["source_consent"] for row in read_results(layout.root).to_pylist()}
    assert sorted(found.values(), key=str) == [None, "explicit"] and found[done["source_id"]] == "explicit"


@pytest.mark.parametrize(
    ("consent", "expires", "said"),
    [
        (None, None, "states no consent (the column consent is empty)"),
        ("none", None, "states no consent (none)"),
        ("explicit", "2026-11-30", "its consent expired on 2026-11-30"),
        ("explicit", "2026-12-01", None),
        ("synthetic", None, None),
    ],
)
def test_required_consent_must_be_there_and_hold_today(
    tmp_path: Path, consent: str | None, expires: str | None, said: str | None
) -> None:
    plan = plan_of(tmp_path, 2, consent=[consent, "contract"], consent_expires=[expires, None], source_id=["a", "b"])
    refuse_without_consent(plan, TODAY)
    assert plan.sources.failures.keys() == (set() if said is None else {0})
    if said is not None:
        failure = plan.sources.failures[0]
        assert failure.error_class == "ConsentError" and "source 'a'" in failure.error and said in failure.error
    assert "driving" in plan.drivings.failures[0].error, "the driving's row states none"


def test_bad_rights_are_refused_with_their_row(tmp_path: Path) -> None:
    table = pa.table({"uri": ["a.jpg", "b.jpg"], "consent": ["explicit", "yes"]})
    with pytest.raises(RefusedError, match=r"row 1: consent='yes' must be one of none, synthetic"):
        check_manifest(table, "source", "s")
    table = pa.table({"uri": ["a.mp4"], "consent_expires": ["soon"]})
    with pytest.raises(RefusedError, match="'consent_expires' must be date32"):
        check_manifest(table, "driving", "d")
    (tmp_path / "s.csv").write_text("uri,consent,consent_expires\na.jpg,explicit,2027-01-31\nb.jpg,,\n")
    read = read_manifest(str(tmp_path / "s.csv"), "source")
    assert read["consent_expires"].to_pylist() == [date(2027, 1, 31), None]
    assert [read.schema.field(name).type for name in RIGHTS] == list(RIGHTS.values())


def test_a_job_that_requires_consent_writes_failed_rows_and_makes_nothing(tmp_path: Path, call: Call) -> None:
    for name in ("a.jpg", "b.mp4"):
        (tmp_path / name).write_bytes(b"never opened")
    rights = {"consent": ["explicit"], "consent_expires": [date(2020, 1, 1)], "licence": ["cc0-1.0"]}
    pq.write_table(pa.table({"uri": [str(tmp_path / "a.jpg")], **rights}), tmp_path / "s.parquet")
    pq.write_table(pa.table({"uri": [str(tmp_path / "b.mp4")], "consent": ["contract"]}), tmp_path / "d.parquet")
    line = f"animate sources={tmp_path}/s.parquet drivings={tmp_path}/d.parquet output={tmp_path}/out runtime=inline"
    ended = call(f"{line} require_consent=true")
    assert ended.code == 3 and "ConsentError" in ended.output, ended.output
    (row,) = lp_ray.read_results(tmp_path / "out").to_pylist()
    assert row["status"] == "failed" and "expired on 2020-01-01" in row["error"]
    assert (row["source_licence"], row["source_consent"], row["driving_consent"]) == ("cc0-1.0", "explicit", "contract")
    assert call(f"{line} require_consent=maybe").code == 2


def test_both_roles_have_all_columns() -> None:
    assert [name for role in ROLES for name in result_columns(role)] == [f"{r}_{n}" for r in ROLES for n in RIGHTS]


def test_of_two_ids_of_one_picture_both_must_state_consent(tmp_path: Path, call: Call) -> None:
    """Its work is done once, for both: whichever comes first, none is made by the other's word."""
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "d.perf.csv").write_text("time,head_yaw\n0,0\n1,5\n")
    pq.write_table(pa.table({"uri": [f"{tmp_path}/d.perf.csv"], "consent": ["contract"]}), tmp_path / "d.parquet")
    for at, consents in enumerate((["explicit", None], [None, "explicit"])):
        table = pa.table({"uri": [f"{tmp_path}/a.jpg"] * 2, "source_id": ["a", "b"], "consent": consents})
        pq.write_table(table, tmp_path / "s.parquet")
        line = f"animate sources={tmp_path}/s.parquet drivings={tmp_path}/d.parquet output={tmp_path}/out{at}"
        assert call(f"{line} require_consent=true").code == 3
        rows = read_results(f"file://{tmp_path}/out{at}").to_pylist()
        assert sorted(row["source_id"] for row in rows) == ["a", "b"]
        assert {row["error_class"] for row in rows} == {"ConsentError"}
        assert all(f"source {'ba'[at]!r} states no consent" in row["error"] for row in rows)


def test_a_finished_row_of_another_id_is_not_adopted_without_consent(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, 2, consent=["explicit", None])
    layout = OutputLayout(f"file://{tmp_path}/out")
    rows, carried = wanted_rows(plan, "preview")
    done = {name: rows[name][0].as_py() for name in rows.column_names}
    twice = rows.slice(0, 2).set_column(0, "pair_id", pa.array([done["pair_id"]] * 2))
    twice = twice.set_column(1, "source_id", pa.array(["a", "b"]))
    append(layout, to_table([{**done, "source_id": "a", "status": "done"}]))
    carried = {name: column.slice(0, 2) for name, column in carried.items()}
    assert reconcile(layout, twice, carried, np.array([False, True])).barred == (1,)
    assert read_results(layout.root).num_rows == 1
    assert reconcile(layout, twice, carried, np.array([True, False])) == Reconciled(adopted=1)
