"""A pair is done when it has what the job asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lp_ray import storage
from lp_ray.contract.measuring import LABELS_COLUMN, METRICS_COLUMN, Measuring
from lp_ray.output import results
from lp_ray.output.layout import OutputLayout

LEVELS = {"none": (None, None), "asked": ("asked", None), "all": ("full", "full"), "fast": (None, "fast")}
"""Pair -> what it has."""


@pytest.fixture
def layout(tmp_path: Path) -> OutputLayout:
    """Four pairs with their videos, all in the table but one; the pair `all` has lost its labels in `lost`."""
    layout = OutputLayout(storage.normalise(str(tmp_path)), "run")
    rows = [
        {"pair_id": key, "status": "done", "bytes": 5, "finished_at": datetime.now(UTC)}
        | ({LABELS_COLUMN: labels, METRICS_COLUMN: metrics} if labels or metrics else {})
        for key, (labels, metrics) in LEVELS.items()
    ]
    results.flush(layout, rows[:1])  # as an older version wrote it: without the columns
    results.flush(layout, rows[1:3])
    results.write_row(layout, rows[3])
    for key, (labels, _) in LEVELS.items():
        storage.put_bytes(layout.result(key, ".mp4"), b"video")
        if labels:
            storage.put_bytes(layout.labels_of(key), b"labels")
    return layout


@pytest.mark.parametrize(
    ("wanted", "done"),
    [
        (Measuring(), {"none", "asked", "all", "fast"}),
        (Measuring(labels="asked"), {"asked", "all"}),
        (Measuring(labels="full"), {"all"}),
        (Measuring(metrics="fast"), {"all", "fast"}),
        (Measuring(metrics="full", labels="asked"), {"all"}),
    ],
)
def test_done_is_what_has_enough(layout: OutputLayout, wanted: Measuring, done: set[str]) -> None:
    settled = results.settled(layout, wanted)
    ids = settled.pair_ids.to_pylist()
    assert {key for key, marks in zip(ids, settled.done, strict=True) if marks} == done
    assert not settled.failed.any() and not settled.filtered.any()


def test_labels_whose_file_is_gone_are_missed_only_by_who_wants_them(layout: OutputLayout) -> None:
    storage.delete(layout.labels_of("all"))
    assert not results.settled(layout, Measuring(labels="full")).done.any()
    assert results.settled(layout, Measuring(metrics="full")).done.sum() == 1
