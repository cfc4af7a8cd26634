"""Results as data frames want them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

import lp_ray
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
    assert {"pair_id", "status", "video_uri", "fps_numerator"} <= set(table.column_names)
