"""The results table shows one row per pair, whatever was interrupted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray import storage
from lp_ray.contract.result_schema import DONE, FAILED, FILTERED, RESULT_SCHEMA
from lp_ray.output import parts as result_parts
from lp_ray.output import results
from lp_ray.output.layout import OutputLayout
from lp_ray.output.results import ResultRow

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
        storage.put_bytes(layout.result(pair_id, ".mp4"), b"mp4")
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


def test_a_plain_reader_sees_every_column_whatever_part_comes_first(tmp_path: Path) -> None:
    """A part without values for a column, before or after one with numbers, or from before the column was there."""
    for number, kinds in enumerate(([None, 3], [3, None], [[], 3], [2.5, 3], [3, 2.5])):
        layout = layout_with_videos(tmp_path / str(number))
        for i, value in enumerate(kinds):
            results.flush(layout, [row(str(i), FAILED, **({} if value == [] else {"meta_n": value}))])
        read = pq.read_table(tmp_path / str(number) / "results")
        assert dict(zip(read["pair_id"].to_pylist(), read["meta_n"].to_pylist(), strict=True)) == {
            str(i): value or None for i, value in enumerate(kinds)
        }


def test_meta_columns_keep_the_types_of_their_manifests(tmp_path: Path) -> None:
    manifest = pa.table(
        {"meta_day": pa.array([None], pa.date32()), "meta_n": pa.array([None], pa.int16()), "uri": ["x"]}
    )
    other = pa.table({"meta_tag": pa.array(["x"]).dictionary_encode()})
    meta = results.meta_schema(manifest, None, other)
    layout = layout_with_videos(tmp_path, "b")
    results.flush(layout, [row("a", FAILED, meta_day=None, meta_n=None, meta_tag="x")], meta)
    results.write_row(layout, row("b", meta_day=START.date(), meta_n=7, meta_tag=None))
    assert results.gather_loose_rows(layout, meta) == 1
    read = pq.read_table(tmp_path / "results")
    assert read.schema.field("meta_day").type == pa.date32()
    assert read.schema.field("meta_n").type == pa.int16()
    assert read.sort_by("pair_id")["meta_n"].to_pylist() == [None, 7]


def test_types_that_have_nothing_in_common_become_text(tmp_path: Path) -> None:
    """Two jobs may mean different things by one name; nothing that a job has made is lost for that."""
    layout = layout_with_videos(tmp_path)
    for number, value in enumerate((3, "three", [1, 2])):
        results.flush(layout, [row(str(number), FAILED, meta_x=value)])
    assert pq.read_table(tmp_path / "results").sort_by("pair_id")["meta_x"].to_pylist() == ["3", "three", "[1, 2]"]


def test_parts_of_an_older_version_get_the_new_columns(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path, "old")
    old = results.to_table([row("old")]).drop_columns(["sha256", "engine"])
    storage.put_bytes(storage.join(layout.results, "part-x.parquet"), _parquet(old))
    results.gather_loose_rows(layout)
    assert pq.read_table(tmp_path / "results").schema.names == RESULT_SCHEMA.names
    assert standing(layout)[0] == {"old"}


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


def standing(layout: OutputLayout) -> tuple[set[str], dict[str, int]]:
    """The pairs that are done, and the others with their attempts."""
    found = results.settled(layout)
    others = found.pair_ids.filter(pa.array(found.failed)).to_pylist()
    attempts = dict(zip(others, found.attempts[found.failed].tolist(), strict=True))
    return set(found.pair_ids.filter(pa.array(found.done)).to_pylist()), attempts


def test_done_means_a_row_and_its_video_in_the_stated_size(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path, "whole", "short", "rowless")
    results.flush(layout, [row("whole"), row("short", size=4), row("gone"), row("bad", FAILED, attempts=2)])
    assert standing(layout) == ({"whole"}, {"bad": 2})


@pytest.mark.parametrize("ending", [".gif", ".zip", ".png", ""])
def test_a_video_is_known_by_its_key_whatever_its_name_ends_in(ending: str, tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path)
    storage.put_bytes(storage.join(layout.videos, "whole" + ending), b"gif")
    results.flush(layout, [row("whole"), row("whol"), row("whole2")])
    assert standing(layout) == ({"whole"}, {})


def test_what_is_settled_is_looked_up_for_all_pairs_at_once(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path, "a", "c")
    wanted = pa.array(["c", "new", "b", "gone", "a"])
    nothing = results.settled(layout).look_up(wanted)
    assert not nothing.done.any() and not nothing.failed.any() and not nothing.attempts.any()
    rows = [row("a", attempts=3), row("b", FAILED, attempts=2), row("c"), row("gone"), row("out", FILTERED)]
    results.flush(layout, rows)
    found = results.settled(layout).look_up(pa.array([*wanted.to_pylist(), "out"]))
    assert found.done.tolist() == [True, False, False, False, True, False]
    assert found.failed.tolist() == [False, False, True, False, False, False]
    assert found.filtered.tolist() == [False] * 5 + [True]
    assert found.attempts.tolist() == [1, 0, 2, 1, 3, 1]


def test_a_row_written_before_a_crash_is_gathered_once(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path, "a")
    results.write_row(layout, row("a"))
    assert results.read_results(str(tmp_path))["pair_id"].to_pylist() == ["a"]
    assert results.gather_loose_rows(layout) == 1
    assert results.gather_loose_rows(layout) == 0
    assert standing(layout)[0] == {"a"}


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


def test_removing_rows_leaves_parts_without_them_alone(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path)
    for name in "abc":
        results.flush(layout, [row(name, FAILED), row(name * 2, FAILED)])
    before = {path: path.stat().st_ino for path in (tmp_path / "results").iterdir()}
    results.discard(layout, pa.chunked_array([["bb"], ["unknown"]]))
    changed = [path for path in (tmp_path / "results").iterdir() if path.stat().st_ino != before[path]]
    assert len(changed) == 1
    assert pq.read_table(changed[0])["pair_id"].to_pylist() == ["b"]


def flush_one_by_one(layout: OutputLayout, n: int) -> None:
    for number in range(n):
        results.flush(layout, [row(f"{number:03d}", FAILED, meta_n=number)])


def test_many_small_parts_become_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_parts, "PART_ROWS", 10)
    layout = layout_with_videos(tmp_path)
    flush_one_by_one(layout, 100)
    sizes = sorted(pq.read_metadata(path).num_rows for path in (tmp_path / "results").iterdir())
    assert len(sizes) < 100 // 10 + result_parts.MANY
    assert sizes[-1] <= 2 * 10
    read = pq.read_table(tmp_path / "results").sort_by("pair_id")
    assert read["meta_n"].to_pylist() == list(range(100))
    assert storage.list_files(layout.compaction) == []


@pytest.mark.parametrize("n_removed", [0, 5, result_parts.MANY])
def test_a_job_killed_while_parts_are_merged_loses_nothing_and_shows_nothing_twice(
    n_removed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is killed when the merged part is written and `n_removed` of the parts that it replaces are deleted."""
    layout = layout_with_videos(tmp_path)

    def killed(layout: OutputLayout, name: str, replaced: list[str]) -> None:
        storage.delete_many(storage.join(layout.results, old) for old in replaced[:n_removed])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(result_parts, "_move_in", killed)
        flush_one_by_one(layout, result_parts.MANY)
    names = [f"{number:03d}" for number in range(result_parts.MANY)]
    assert results.read_results(str(tmp_path))["pair_id"].to_pylist() == names
    tables = [pq.read_table(path) for path in (tmp_path / "results").iterdir()]
    plain = sorted(pair_id for table in tables for pair_id in table["pair_id"].to_pylist())
    assert plain == names[n_removed:]

    assert results.gather_loose_rows(layout) == 0
    assert pq.read_table(tmp_path / "results")["pair_id"].to_pylist() == names
    assert len(list((tmp_path / "results").iterdir())) == 1
    assert storage.list_files(layout.compaction) == []


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 3) | st.none()), max_size=30))
def test_of_each_pair_the_newest_row_stays_in_its_place(rows: list[tuple[str, int | None]]) -> None:
    table = results.to_table(
        [
            row(pair_id, attempts=number, finished_at=None if time is None else START + timedelta(seconds=time))
            for number, (pair_id, time) in enumerate(rows)
        ]
    )
    best: dict[str, tuple[int, int]] = {}
    for number, (pair_id, time) in enumerate(rows):
        best[pair_id] = max(best.get(pair_id, (-1, -1)), (time if time is not None else -1, number))
    expected = sorted(number for _, number in best.values())
    assert results._latest(table)["attempts"].to_pylist() == expected


def test_the_newest_row_is_the_one_readers_see(tmp_path: Path) -> None:
    layout = layout_with_videos(tmp_path)
    results.append(layout, results.to_table([row("a", finished_at=START + timedelta(seconds=1))]))
    results.append(layout, results.to_table([row("a", FAILED)]))
    assert results.read_results(str(tmp_path))["status"].to_pylist() == [DONE]


def test_an_output_without_results_is_an_empty_table(tmp_path: Path) -> None:
    assert results.read_results(str(tmp_path / "nothing")).num_rows == 0
