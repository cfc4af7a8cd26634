"""Pairs whose faces have drivings of their own: their keys, their failures, and what stands in their rows."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.contract.manifest import check_manifest
from lp_ray.contract.options import PairOptions
from lp_ray.coordinator.casting import cast_column
from lp_ray.plan.consent import refuse_without_consent
from lp_ray.plan.pairing import pairs_from_manifest
from lp_ray.plan.planning import Identity, Plan, make_plan, wanted_rows
from lp_ray.storage import Policy

NAMES = ("s.jpg", "d0.mp4", "d1.mp4", "d2.mp4")


def plan_of(
    folder: Path,
    casts: list[list[str | None]],
    ids: tuple[str, ...] = ("d0", "d1", "d2"),
    face: str = "all",
    **more: Any,
) -> Plan:
    """Return the plan of one source with casts and, first, with the driving d0 alone; `more` are driving columns."""
    for name in NAMES:
        if not (folder / name).exists():
            (folder / name).write_text(name)
    sources = check_manifest(
        pa.table({"uri": [str(folder / "s.jpg")], "source_id": ["s"], "face": [face], "consent": ["contract"]}),
        "source",
        "s",
    )
    uris = [str(folder / f"{name}.mp4") for name in ids]
    drivings = check_manifest(pa.table({"uri": uris, "driving_id": ids, **more}), "driving", "d")
    rows = {
        "source_id": ["s"] * (1 + len(casts)),
        "driving_id": ["d0"] + [None] * len(casts),
        "drivings": [None, *casts],
    }
    table = check_manifest(pa.table(rows), "pair", "p")
    pairs = pairs_from_manifest(table, sources["source_id"], drivings["driving_id"], PairOptions())
    return make_plan(sources, drivings, table, pairs, Identity("e", "l"), Policy(), "preview")


def ids(plan: Plan) -> list[str]:
    found: list[str] = plan.pair_ids.to_pylist()
    return found


def test_a_cast_has_a_key_of_its_own_and_changes_no_other(tmp_path: Path) -> None:
    alone = ids(plan_of(tmp_path, []))
    first = ids(plan_of(tmp_path, [["d0", "d1"], ["d1", "d0"], [None, "d0"], ["d0", "d0"]]))
    assert first[0] == alone[0] and len(set(first)) == 5
    other_order = ids(plan_of(tmp_path, [["d0", "d1"]], ("d2", "d1", "d0")))
    assert other_order == first[:2], "where a driving stands in its manifest is no matter"
    (tmp_path / "d1.mp4").write_text("another")
    again = ids(plan_of(tmp_path, [["d0", "d1"], [None, "d0"]]))
    assert again[0] == first[0] and again[1] != first[1] and again[2] == first[3]


def test_its_roles_are_its_faces_and_its_row_names_them(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [[None, "d2", "d0"]], subject_id=["ann", None, "bob"], meta_take=[1, 2, 1])
    driving = plan.driving(1)
    assert [one and Path(one.uri).stem for one in driving.cast] == [None, "d2", "d0"]
    assert [Path(one.uri).stem for one in driving.members] == ["d2", "d0"]
    assert len(plan.drivings) == 3, "d1 is used by no pair; the cast is a row"
    table, carried = wanted_rows(plan, "e")
    assert table["driving_id"].to_pylist() == ["d0", '[null, "d2", "d0"]']
    assert carried["driving_subject_id"].to_pylist() == ["ann", None], "they do not agree on it"
    assert carried["meta_take"].to_pylist() == [1, 1]
    assert cast_column(plan, 0) == {}
    assert '"face": 1, "driving_id": "d2"' in cast_column(plan, 1)["cast"]


def test_a_cast_fails_with_any_of_its_drivings(tmp_path: Path) -> None:
    plan_of(tmp_path, [])
    (tmp_path / "d1.mp4").unlink()
    (tmp_path / "d1.mp4").mkdir()
    plan = plan_of(tmp_path, [["d0", "d1"], ["d0", "d2"]])
    failures = [plan.failure(pair) for pair in range(3)]
    assert [failure and failure.error_class for failure in failures] == [None, "MissingInputError", None]


def test_consent_is_asked_of_every_driving(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, [["d0", "d1"], ["d0", "d2"]], consent=["explicit", "none", "contract"])
    refuse_without_consent(plan, date(2026, 12, 1))
    failures = [plan.failure(pair) for pair in range(3)]
    assert [failure and failure.error_class for failure in failures] == [None, "ConsentError", None]


def test_the_consent_of_a_cast_ends_with_the_first_of_its_drivings(tmp_path: Path) -> None:
    until = ["2027-05-01", None, "2026-12-24"]
    plan = plan_of(tmp_path, [["d0", "d1"], ["d0", "d2"], ["d1"]], consent=["explicit"] * 3, consent_expires=until)
    found = [plan.meta(pair)["driving_consent_expires"] for pair in range(1, 4)]
    assert found == [date(2027, 5, 1), date(2026, 12, 24), None]


def test_a_cast_needs_a_source_of_several_faces_and_drivings_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(
        RefusedError, match="pairs manifest row 1: drivings are given by face, and its source is one face"
    ):
        plan_of(tmp_path, [["d0", "d1"]], face="0")
    with pytest.raises(RefusedError, match="pairs manifest row 2: drivings: 'd9' is not in the drivings manifest"):
        plan_of(tmp_path, [["d0", "d1"], ["d0", "d9"]])
