"""Shards are disjoint, cover the whole manifest together, and stay the same as it grows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.base.errors import RefusedError
from lp_ray.contract.options import PairOptions
from lp_ray.output.layout import OutputLayout
from lp_ray.plan.pairing import pair_up
from lp_ray.plan.shard import Shard, parse_shard

URIS = pa.chunked_array([[f"s3://bucket/{i}.jpg" for i in range(400)], ["ftp://not/allowed.jpg", "a\0b"]])


@given(st.integers(1, 9))
def test_every_row_is_in_one_shard_and_none_is_empty(count: int) -> None:
    rows = np.stack([Shard(index, count).rows(URIS) for index in range(count)])
    assert (rows.sum(0) == 1).all()
    assert (rows.sum(1) > len(URIS) / count / 2).all()


def test_a_row_stays_in_its_shard_when_others_come_and_go_or_it_is_typed_otherwise(tmp_path: Path) -> None:
    shard = Shard(2, 5)
    fewer = shard.rows(URIS.slice(100, 50))
    assert fewer.tolist() == shard.rows(URIS)[100:150].tolist()
    typed = pa.chunked_array([[str(tmp_path / "a" / ".." / f"{i}.jpg") for i in range(20)]])
    plain = pa.chunked_array([[f"file://{tmp_path}/{i}.jpg" for i in range(20)]])
    assert shard.rows(typed).tolist() == shard.rows(plain).tolist()


def test_the_pairs_of_a_source_stay_together_with_their_rows_of_the_manifest() -> None:
    pairs = pair_up("cross", 402, 3, PairOptions())
    table = pa.table({"meta_row": np.arange(len(pairs))})
    seen: list[int] = []
    for index in range(4):
        part, part_table = Shard(index, 4).pairs(pairs, table, URIS)
        assert part_table is not None and (np.unique(part.source_index, return_counts=True)[1] == 3).all()
        rows = part_table["meta_row"].to_numpy()
        assert (pairs.source_index[rows] == part.source_index).all()
        assert (pairs.driving_index[rows] == part.driving_index).all()
        seen += rows.tolist()
    assert sorted(seen) == list(range(len(pairs)))
    assert Shard(0, 4).pairs(pairs, None, URIS)[1] is None


@pytest.mark.parametrize("text", ["4/4", "1", "-1/4", "0/0", "1/2/3", "a/b", "1.0/2", "", "1 / 2"])
def test_anything_but_i_of_n_counted_from_0_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match=r"shard=.* must be i/n with i from 0 to n - 1"):
        parse_shard(text)


def test_what_is_typed_is_read() -> None:
    assert parse_shard(None) is None
    assert parse_shard("0/1") == Shard(0, 1) and parse_shard("11/12") == Shard(11, 12)


def test_only_shards_of_one_count_go_side_by_side_and_share_no_path_that_one_run_owns() -> None:
    names = [Shard(0, 2).name, Shard(1, 2).name, Shard(1, 3).name, ""]
    beside = {(a, b) for a in names for b in names if OutputLayout("file:///o", "r", a).is_beside(b)}
    assert beside == {("0-of-2", "1-of-2"), ("1-of-2", "0-of-2")}
    layouts = [OutputLayout("file:///o", f"r{i}", name) for i, name in enumerate(names)]
    for own in ("lease", "rows", "own_staging"):
        assert len({getattr(layout, own) for layout in layouts}) == len(names)
