"""Pairing rules and explicit pairs."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.base.errors import RefusedError
from lp_ray.contract.manifest import check_manifest
from lp_ray.contract.options import PairOptions
from lp_ray.plan.pairing import Pairs, pair_up, pairs_from_manifest

OPTIONS = PairOptions()


def as_set(pairs: Pairs) -> set[tuple[int, int]]:
    return set(zip(pairs.source_index.tolist(), pairs.driving_index.tolist(), strict=True))


def test_cross_is_every_source_with_every_driving() -> None:
    pairs = pair_up("cross", 2, 3, OPTIONS)
    assert len(pairs) == 6
    assert as_set(pairs) == {(s, d) for s in range(2) for d in range(3)}


def test_zip_wants_equal_counts() -> None:
    assert as_set(pair_up("zip", 2, 2, OPTIONS)) == {(0, 0), (1, 1)}
    with pytest.raises(RefusedError, match="2 sources and 3 drivings"):
        pair_up("zip", 2, 3, OPTIONS)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(0, 5))
def test_random_gives_each_source_that_many_different_drivings(
    sources: int, drivings: int, per_source: int, seed: int
) -> None:
    if per_source > drivings:
        with pytest.raises(RefusedError, match="per_source"):
            pair_up("random", sources, drivings, OPTIONS, per_source, seed)
        return
    pairs = pair_up("random", sources, drivings, OPTIONS, per_source, seed)
    assert len(pairs) == len(as_set(pairs)) == sources * per_source
    assert as_set(pairs) == as_set(pair_up("random", sources, drivings, OPTIONS, per_source, seed))
    grown = pair_up("random", sources + 1, drivings, OPTIONS, per_source, seed)
    assert as_set(pairs) < as_set(grown), "a source's drivings do not change when sources are added"


def test_another_seed_chooses_other_pairs() -> None:
    assert as_set(pair_up("random", 20, 20, OPTIONS, 3, 0)) != as_set(pair_up("random", 20, 20, OPTIONS, 3, 1))


def pairs_table(**columns: list[object]) -> pa.Table:
    return check_manifest(pa.table(columns), "pair", "pairs")


def test_option_columns_override_the_jobs_options() -> None:
    table = pairs_table(
        source_id=["a", "b", "a"], driving_id=["x", "x", "y"], crf=[30, None, 30], paste_back=[None, None, None]
    )
    pairs = pairs_from_manifest(table, ["a", "b"], ["x", "y"], PairOptions(crf=22))
    chosen = [pairs.option_sets[i].crf for i in pairs.option_index]
    assert chosen == [30, 22, 30]
    assert len(pairs.option_sets) == 2
    assert pairs.source_index.tolist() == [0, 1, 0]


def test_an_unknown_id_names_its_row() -> None:
    with pytest.raises(RefusedError, match="row 1: driving_id='z'"):
        pairs_from_manifest(pairs_table(source_id=["a", "a"], driving_id=["x", "z"]), ["a"], ["x"], OPTIONS)


@pytest.mark.parametrize(("column", "value"), [("crf", 99), ("crf", "good"), ("preset", "warp"), ("paste_back", 1)])
def test_a_bad_option_names_its_row(column: str, value: object) -> None:
    with pytest.raises(RefusedError, match=f"row 1: {column}="):
        table = pairs_table(source_id=["a", "a"], driving_id=["x", "y"], **{column: [None, value]})
        pairs_from_manifest(table, ["a"], ["x", "y"], OPTIONS)


def test_combinations_of_options_are_told_apart_whatever_their_columns_are() -> None:
    table = pairs_table(
        source_id=list("abcdef"),
        driving_id=["x"] * 6,
        crf=pa.array([30, 30, None, 20, 20, 30]),
        preset=pa.array(["fast", "slow", "fast", None, "fast", "fast"]).dictionary_encode(),
        crop_scale=pa.array([1.5, 1.5, float(OPTIONS.crop_scale), None, None, 1.5]),
        comparison=pa.nulls(6),
    )
    pairs = pairs_from_manifest(table, list("abcdef"), ["x"], OPTIONS)
    chosen = [pairs.option_sets[i] for i in pairs.option_index]
    assert [(o.crf, o.preset, o.crop_scale) for o in chosen] == [
        (30, "fast", 1.5),
        (30, "slow", 1.5),
        (OPTIONS.crf, "fast", OPTIONS.crop_scale),
        (20, OPTIONS.preset, OPTIONS.crop_scale),
        (20, "fast", OPTIONS.crop_scale),
        (30, "fast", 1.5),
    ]
    assert len(pairs.option_sets) == 5


def test_a_nested_option_column_is_refused_by_its_first_value() -> None:
    table = pairs_table(source_id=["a", "a"], driving_id=["x", "y"], crf=[None, [18]])
    with pytest.raises(RefusedError, match=r"row 1: crf=\[18\]"):
        pairs_from_manifest(table, ["a"], ["x", "y"], OPTIONS)
