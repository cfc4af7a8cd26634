"""The results table: one visible row per pair, whatever was interrupted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq

from lp_ray import results, storage
from lp_ray.layout import OutputLayout
from lp_ray.manifest import DONE, FAILED, RESULT_SCHEMA
from lp_ray.results import ResultRow

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(pair_id: str, status: str = DONE, size: int = 3, **more: object) -> ResultRow:
    return {
        "pair_id": pair_id,
        "status": status,
        "bytes": size if status == DONE else None,
        "attempts": 1,
        "finished_at": START,
        "fps": {"numerator": 30000, "denominator": 1001},
        **more,
    }


def layout_with_videos(folder: Path, *pair_ids: str) -> OutputLayout:
    layout = OutputLayout(storage.normalise(str(folder)))
    for pair_id in pair_ids:
        storage.put_bytes(layout.result(pair_id, "video"), b"mp4")
    return layout


def test_rows_keep_their_types_and_meta_columns(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path)
    results.flush(layout, [row("a", meta_tag="x"), row("b", FAILED)])
    results.flush(layout, [row("c", meta_number=3)])
    table = pq.read_table(tmp_path / "results")
    assert set(RESULT_SCHEMA.names) <= set(table.column_names)
    read = {r["pair_id"]: r for r in results.read_results(str(tmp_path)).to_pylist()}
    assert read["a"]["meta_tag"] == "x" and read["c"]["meta_number"] == 3 and read["b"]["meta_tag"] is None
    assert read["a"]["fps"] == {"numerator": 30000, "denominator": 1001}
    assert read["a"]["finished_at"] == START


def test_done_means_a_row_and_its_video_in_the_stated_size(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path, "whole", "short", "rowless")
    results.flush(layout, [row("whole"), row("short", size=4), row("gone"), row("bad", FAILED, attempts=2)])
    assert results.standing(layout) == ({"whole"}, {"bad": 2})


def test_a_row_written_before_a_crash_is_gathered_once(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path, "a")
    results.write_row(layout, row("a"))
    assert results.read_results(str(tmp_path))["pair_id"].to_pylist() == ["a"]
    assert results.gather_loose_rows(layout) == 1
    assert results.gather_loose_rows(layout) == 0
    assert results.standing(layout)[0] == {"a"}


def test_a_crash_between_appending_and_deleting_leaves_one_row(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path, "a")
    results.write_row(layout, row("a"))
    results.append(layout, results.to_table([row("a")]))
    assert results.read_results(str(tmp_path)).num_rows == 1
    results.gather_loose_rows(layout)
    assert pq.read_table(tmp_path / "results").num_rows == 1


def test_discarded_rows_are_gone_and_others_stay(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path)
    results.flush(layout, [row("a"), row("b", FAILED)])
    results.flush(layout, [row("c", FAILED)])
    results.discard(layout, ["b", "c", "unknown"])
    assert pq.read_table(tmp_path / "results")["pair_id"].to_pylist() == ["a"]
    assert len(list((tmp_path / "results").iterdir())) == 1


def test_the_newest_row_is_the_one_readers_see(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path)
    results.append(layout, results.to_table([row("a", finished_at=START + timedelta(seconds=1))]))
    results.append(layout, results.to_table([row("a", FAILED)]))
    assert results.read_results(str(tmp_path))["status"].to_pylist() == [DONE]


def test_an_output_without_results_is_an_empty_table(tmp_path: Path) -> None:
    assert results.read_results(str(tmp_path / "nothing")).num_rows == 0
