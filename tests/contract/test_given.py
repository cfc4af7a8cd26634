"""Rows that a program gives in place of a manifest, in every form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from lp_ray.base.errors import RefusedError
from lp_ray.contract.given import as_table

DICTS = [{"uri": "a.jpg"}, {"uri": "b.jpg", "face": "0"}]


class Batches:
    """What a Ray dataset is, to us."""

    def iter_batches(self, *, batch_format: str) -> Any:
        assert batch_format == "pyarrow"
        return iter([pa.table({"uri": ["a.jpg"]}), pa.table({"uri": ["b.jpg"], "face": ["0"]})])


@pytest.mark.parametrize(
    "rows",
    [DICTS, iter(DICTS), pd.DataFrame({"uri": ["a.jpg", "b.jpg"], "face": [None, "0"]}), Batches()],
    ids=["dicts", "an iterator", "a data frame", "a dataset"],
)
def test_rows_of_every_form_are_one_table(rows: Any) -> None:
    """A column that the first row lacks is there all the same."""
    assert as_table(rows, "uri").to_pylist() == [{"uri": "a.jpg", "face": None}, {"uri": "b.jpg", "face": "0"}]


@pytest.mark.parametrize("rows", ["a.jpg", Path("a.jpg"), [Path("a.jpg")], ["a.jpg"], {"uri": "a.jpg"}])
def test_a_path_is_a_row(rows: Any) -> None:
    assert as_table(rows, "uri").to_pylist() == [{"uri": "a.jpg"}]


def test_a_table_stays_as_it_is() -> None:
    table = pa.table({"uri": ["a.jpg"]})
    assert as_table(table, "uri") is table


@pytest.mark.parametrize("rows", [5, [{"uri": "a"}, {"uri": 5}]])
def test_what_is_no_rows_is_refused(rows: Any) -> None:
    with pytest.raises(RefusedError, match="rows"):
        as_table(rows, "uri")
