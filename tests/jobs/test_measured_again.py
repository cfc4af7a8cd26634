"""Labels and metrics asked for on an output that has none: nothing that is there is lost on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lp_ray
from lp_ray.stages import finalize
from tests.generated import Generated
from tests.jobs.conftest import Call

pytestmark = pytest.mark.slow


@pytest.fixture
def typed(tmp_path: Path, generated: Generated) -> str:
    sources = [
        {"uri": str(path), "source_id": name}
        for name, path in (("a", generated.portrait), ("b", generated.closed_mouth))
    ]
    pq.write_table(pa.Table.from_pylist(sources), tmp_path / "s.parquet")
    return (
        f"animate sources={tmp_path}/s.parquet driving={generated.clip} end_s=0.16 output={tmp_path}/out runtime=inline"
    )


def levels(tmp_path: Path) -> dict[str, Any]:
    table = lp_ray.read_results(tmp_path / "out")
    asked = table["labels_level"].to_pylist() if "labels_level" in table.column_names else [None] * len(table)
    return dict(zip(table["source_id"].to_pylist(), zip(table["status"].to_pylist(), asked, strict=True), strict=True))


def test_a_run_that_stops_half_way_keeps_every_row(
    tmp_path: Path, typed: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pair that was measured has its labels, the other one the row that it had, and the next run does the rest."""
    assert call(typed).code == 0
    measure, seen = finalize.measure_pair, []

    def interrupted(*arguments: Any) -> Any:
        seen.append(arguments)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return measure(*arguments)

    monkeypatch.setattr(finalize, "measure_pair", interrupted)
    assert call(typed + " labels=full").code == 130
    monkeypatch.undo()
    assert sorted(levels(tmp_path).values(), key=str) == [("done", "full"), ("done", None)]
    ended = call(typed + " labels=full")
    assert ended.code == 0 and "1 done already" in ended.output, ended.output
    assert set(levels(tmp_path).values()) == {("done", "full")}
    assert len(list((tmp_path / "out" / "videos").iterdir())) == 2


def test_a_job_that_would_lose_labels_for_metrics_is_refused(tmp_path: Path, typed: str, call: Call) -> None:
    assert call(typed + " labels=asked").code == 0
    ended = call(typed + " metrics=fast")
    assert ended.code == 2 and "ask for labels=asked metrics=fast" in ended.output, ended.output
    assert call(typed + " labels=asked metrics=fast").code == 0
    row = lp_ray.read_results(tmp_path / "out").to_pylist()[0]
    assert (row["labels_level"], row["metrics_level"]) == ("asked", "fast")
    assert row["labels_uri"] and row["identity_mean"] is not None
    assert "nothing to do" in call(typed + " labels=asked").output, "who asks for less leaves everything as it is"
