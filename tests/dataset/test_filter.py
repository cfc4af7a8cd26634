"""`lp-ray filter`: a second, cheap step over stored numbers; it writes selections, and changes nothing else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lp_ray
from lp_ray.base.errors import RefusedError
from lp_ray.dataset.choose import conditions_of, judge
from lp_ray.dataset.expression import parse
from lp_ray.dataset.presets import PRESETS, markdown
from lp_ray.dataset.selection import read_selection, write_selection
from lp_ray.output.results import write_row
from lp_ray.output.scan import Scan
from lp_ray.quality.table import NAMES
from tests.dataset.made import layout_of, many, measured, row, write
from tests.jobs.conftest import Call, call

__all__ = ["call"]

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Five finished pairs with metrics, of which one could not be measured, and a failed one."""
    layout = layout_of(tmp_path / "out")
    rows = [row(layout, f"s{n}", "d") for n in range(5)]
    metrics = {"identity_mean": [0.95, 0.92, 0.5, None, 0.99], "jitter": [1.0, 3.0, 1.0, 1.0, None]}
    write(layout, rows, metrics)
    write(layout, [{"pair_id": "f" * 32, "source_id": "bad", "driving_id": "d", "status": "failed"}])
    return tmp_path / "out"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_filter_twice_with_other_thresholds_makes_nothing_again(output: Path, call: Call) -> None:
    before = files(output)
    ended = call(f"filter output={output} where='identity_mean > 0.9 and jitter < 2' to=a.parquet")
    assert ended.code == 0 and "1 of 6 pairs stay" in ended.output, ended.output
    table = pq.read_table(output / "selections" / "a.parquet").to_pydict()
    assert table["kept"] == [True, False, False, False, False, False]
    assert table["reason"] == [
        None,
        "jitter < 2",
        "identity_mean > 0.9",
        "not measured: identity_mean > 0.9",
        "not measured: jitter < 2",
        "failed",
    ]
    for reason in table["reason"][1:]:
        assert f"1  {reason}" in ended.output
    ended = call(f"filter output={output} where='identity_mean > 0.9' to=b")
    assert ended.code == 0 and "3 of 6 pairs stay" in ended.output
    after = files(output)
    assert after.keys() - before.keys() == {"selections/a.parquet", "selections/b.parquet"}
    assert all(after[name] == data for name, data in before.items())
    assert len(read_selection(layout_of(output), "b").pairs) == 3


def test_what_is_wrong_is_refused_before_anything_is_written(output: Path, call: Call) -> None:
    for line, said in (
        ("where='identity_man > 1'", "there is no column 'identity_man' (did you mean 'identity_mean'?)"),
        ("", "where=… or preset=… is missing"),
        ("preset=strickt", "must be one of loose, strict (did you mean 'strict'?)"),
        ("where='jitter < 2' to=../x", "must be a name of letters"),
    ):
        ended = call(f"filter output={output} {line}")
        assert ended.code == 2 and said in ended.output, ended.output
    assert not (output / "selections").exists()
    with pytest.raises(RefusedError, match=r"selection=a: there is none"):
        read_selection(layout_of(output), "a")


def test_a_preset_fails_what_was_never_measured_and_says_so(output: Path, call: Call) -> None:
    """Outputs without metrics have no such columns, or null ones: a condition on them is `not measured`."""
    ended = call(f"filter output={output} preset=loose where='jitter < 2'")
    assert ended.code == 0 and "0 of 6 pairs stay" in ended.output
    assert "5  not measured: identity_l2_mean < 0.6" in ended.output


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_conditions_on_metrics_with_a_source_each(name: str) -> None:
    types = {**dict.fromkeys(NAMES, pa.float64()), "duration_s": pa.float64()}
    for rule in PRESETS[name]:
        assert len(parse(rule.condition, types)) == 1 and rule.source
    assert markdown().strip() in (DOCS / "datasets.md").read_text()


def test_a_scan_gives_the_rows_of_read_results(output: Path) -> None:
    """Parts, rows that are not gathered yet, and pairs with two rows, of which the later counts."""
    layout = layout_of(output)
    write(layout, [row(layout, "s1", "d", meta_shop="second") | {"finished_at": None}])
    write_row(layout, row(layout, "s2", "d", meta_shop="loose"))
    scan, whole = Scan(str(output)), lp_ray.read_results(output).drop_columns(["name"])
    assert len(scan) == whole.num_rows == 6
    assert pa.concat_tables(scan.batches()).equals(whole)
    assert pa.concat_tables(scan.batches(["meta_shop", "fps_numerator", "nonsense"])).column_names == [
        "meta_shop",
        "fps_numerator",
    ]


def test_a_hundred_thousand_rows_are_judged_in_seconds_and_bounded_memory(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "out")
    many(layout, 100_000, 1000, 500)
    with measured() as spent:
        scan = Scan(str(tmp_path / "out"))
        conditions = conditions_of(scan, "identity_mean > 0.9 and jitter < 2", None)
        counts = write_selection(layout, "a", judge(scan, conditions), [condition.text for condition in conditions])
    print(f"100,000 rows: {spent}")
    assert counts.total == 100_000 and 9_000 < counts.kept < 11_000
    assert spent.arrow < 80e6 and spent.python < 40e6
