"""The column `drivings` of the pairs manifest: its forms, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.contract.casts import ids_of, is_cast
from lp_ray.contract.manifest import check_manifest, read_manifest


def pairs(**columns: Any) -> pa.Table:
    return check_manifest(pa.table(columns), "pair", "m")


def test_lists_and_json_texts_are_the_same_casts(tmp_path: Path) -> None:
    lists = pairs(source_id=["a", "a", "a"], driving_id=[None, None, "x"], drivings=[["x", None], ["ü", "x"], None])
    assert lists["drivings"].to_pylist() == ['["x", null]', '["ü", "x"]', None]
    (tmp_path / "p.csv").write_text('source_id,driving_id,drivings\na,,"[""x"",null]"\na,,"[ ""ü"", ""x"" ]"\na,x,\n')
    assert read_manifest(str(tmp_path / "p.csv"), "pair")["drivings"].to_pylist() == lists["drivings"].to_pylist()
    pq.write_table(pa.table({"source_id": ["a"], "drivings": [["x", None]]}), tmp_path / "p.parquet")
    assert read_manifest(str(tmp_path / "p.parquet"), "pair")["drivings"].to_pylist() == ['["x", null]']
    assert [*ids_of('["x", null]')] == ["x", None]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"driving_id": ["x"], "drivings": [["x"]]}, "row 0: has a driving_id and drivings: leave one out"),
        ({"driving_id": [None], "drivings": pa.array([None], pa.list_(pa.string()))}, "row 0: 'driving_id' is empty"),
        ({"drivings": [[]]}, r"row 0: drivings=\[\] must be a list of 1 to 16 driving ids"),
        ({"drivings": [[None, None]]}, "row 0: drivings=.* must be a list"),
        ({"drivings": [["x"] * 17]}, "row 0: drivings=.* must be a list"),
        ({"drivings": [["x", ""]]}, "row 0: drivings=.* must be a list"),
        ({"drivings": ["x, y"]}, "row 0: drivings=x, y must be a list .*null: the face stays as it is"),
        ({"drivings": ['{"x": 1}']}, "row 0: drivings=.* must be a list"),
        ({"drivings": [[1, 2]]}, "row 0: drivings=.* must be a list"),
        ({"drivings": [7]}, "column 'drivings' holds int64, not lists of driving ids"),
    ],
)
def test_what_is_no_cast_is_refused_with_its_row(columns: dict[str, Any], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        pairs(source_id=["a"], **columns)


def test_the_same_cast_twice_is_the_same_pair_twice() -> None:
    with pytest.raises(RefusedError, match="the same pair with the same options in rows 0 and 2"):
        pairs(source_id=["a", "a", "a"], drivings=[["x", "y"], ["y", "x"], ["x", "y"]])


def test_an_id_that_looks_like_a_list_is_told_from_a_cast() -> None:
    assert is_cast('["a", null]') and not is_cast("[a]") and not is_cast("a") and not is_cast('{"a": 1}')
