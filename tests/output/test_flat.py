"""Results as data frames want them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

import lp_ray
from lp_ray.output.by_name import named, with_names
from lp_ray.output.flat import flat


def test_structures_are_columns_and_lists_are_texts() -> None:
    table = pa.Table.from_pylist(
        [
            {"pair_id": "a", "fps": {"numerator": 30000, "denominator": 1001}, "licences": ["MIT", "Apache-2.0"]},
            {"pair_id": "b", "fps": None, "licences": []},
        ]
    )
    assert flat(table).to_pylist() == [
        {"pair_id": "a", "fps_numerator": 30000, "fps_denominator": 1001, "licences": "MIT; Apache-2.0"},
        {"pair_id": "b", "fps_numerator": None, "fps_denominator": None, "licences": ""},
    ]


def test_the_results_of_an_output_have_no_column_that_a_data_frame_cannot_compare() -> None:
    """Those of an output that version 0.1 wrote, which the repository carries."""
    table = lp_ray.read_results(Path(__file__).parent / "data" / "written_by_0_1")
    assert table.num_rows > 0
    assert not any(pa.types.is_nested(column.type) for column in table.columns)
    assert table.column_names[0] == "name" and len(set(table["name"].to_pylist())) == table.num_rows
    assert {"pair_id", "status", "video_uri", "fps_numerator"} <= set(table.column_names)


def test_names_are_those_that_the_links_of_finished_pairs_get() -> None:
    """A pair that is not done takes no finished pair's name, wherever its row stands."""
    rows = [("a", "failed"), ("c", "done"), ("b", "done")]
    table = pa.Table.from_pylist(
        [{"pair_id": pair, "status": status, "source_id": "x/y", "driving_id": "d"} for pair, status in rows]
    )
    assert with_names(table)["name"].to_pylist() == ["x_y__d-3", "x_y__d-2", "x_y__d"]
    done = [row for row in table.to_pylist() if row["status"] == "done"]
    assert [(name, row["pair_id"]) for name, row in named(done)] == [("x_y__d", "b"), ("x_y__d-2", "c")]
