"""Splits: no face and no motion on two sides, the same sides every time, and what that costs."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lp_ray.base.errors import RefusedError
from lp_ray.contract.media_kinds import NO_DRIVING
from lp_ray.dataset.people import as_people, find_people, joined
from lp_ray.dataset.split import LEFT_OUT, Endpoints, Sides, assign, casts, leaks, parse_sides, who

SIDES = parse_sides("train=0.8,val=0.1,test=0.1")


def endpoints(pairs: list[tuple[str, str]]) -> Endpoints:
    sources, drivings = (pa.chunked_array([[str(pair[role]) for pair in pairs]], pa.string()) for role in (0, 1))
    return Endpoints.of(sources, drivings)


def crossed(n_sources: int, n_drivings: int) -> list[tuple[str, str]]:
    return [(f"s{a}", f"d{b}") for a in range(n_sources) for b in range(n_drivings)]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=200),
    st.integers(0, 5),
    st.sampled_from([(1.0,), (0.5, 0.5), (0.8, 0.1, 0.1)]),
)
def test_no_name_stands_on_two_sides_whatever_the_pairs(
    numbers: list[tuple[int, int]], seed: int, shares: tuple[float, ...]
) -> None:
    """Also where one name is a source in one pair and a driving in another."""
    pairs = [(f"n{a}", f"n{b}") for a, b in numbers]
    made = endpoints(pairs)
    try:
        side = assign(made, Sides(("a", "b", "c")[: len(shares)], shares), seed)
    except RefusedError:
        return
    seen: dict[str, int] = {}
    for pair, at in zip(pairs, side.tolist(), strict=True):
        if at != LEFT_OUT:
            assert all(seen.setdefault(name, at) == at for name in pair)
    assert leaks(made, side) == []


def test_crossed_pairs_keep_the_sum_of_squares() -> None:
    side = assign(endpoints(crossed(300, 300)), SIDES, 0)
    shares = [(side == n).mean() for n in range(3)]
    assert np.allclose(shares, [0.64, 0.01, 0.01], atol=0.06) and min(shares) > 0
    assert np.isclose((side == LEFT_OUT).mean(), 0.34, atol=0.06)


def test_pairs_that_share_nothing_lose_nothing() -> None:
    side = assign(endpoints([(f"s{n}", f"d{n}") for n in range(3000)]), SIDES, 0)
    assert not (side == LEFT_OUT).any()
    assert np.allclose([(side == n).mean() for n in range(3)], SIDES.shares, atol=0.03)


def test_sides_do_not_change_with_the_order_or_with_new_pairs() -> None:
    few, more = crossed(20, 20), crossed(30, 25)
    before = dict(zip(few, assign(endpoints(few), SIDES, 3).tolist(), strict=True))
    after = dict(zip(more[::-1], assign(endpoints(more[::-1]), SIDES, 3).tolist(), strict=True))
    assert all(after[pair] == side for pair, side in before.items())
    assert before != dict(zip(few, assign(endpoints(few), SIDES, 4).tolist(), strict=True))


def test_an_empty_side_is_refused_with_a_seed_that_does() -> None:
    seeds = [seed for seed in range(40) if _fails(seed) is not None]
    assert seeds, "some seed must leave a side empty"
    said = str(_fails(seeds[0]))
    assert "no pair falls on" in said and "gives every side some" in said
    proposed = int(said.rpartition("seed=")[2].partition(" ")[0])
    assert _fails(proposed) is None
    with pytest.raises(RefusedError, match="give it a larger share"):
        assign(endpoints([("s", "d")]), SIDES, 0)


def _fails(seed: int) -> RefusedError | None:
    try:
        assign(endpoints(crossed(7, 5)), parse_sides("train=0.6,test=0.4"), seed)
    except RefusedError as error:
        return error
    return None


def test_a_subject_decides_before_the_file_and_the_file_before_the_id() -> None:
    rows = pa.table(
        {
            "source_subject_id": pa.array(["anna", None, None], pa.string()),
            "source_uri": pa.array(["file:///a.jpg", "file:///b.jpg", None]),
            "source_id": ["1", "2", "3"],
        }
    )
    assert who(rows, "source").to_pylist() == ["subject:anna", "file:file:///b.jpg", "id:3"]
    assert who(rows.drop_columns(["source_subject_id", "source_uri"]), "source").to_pylist() == ["id:1", "id:2", "id:3"]


@pytest.mark.parametrize("text", ["train", "train=0.5", "a=0.5,a=0.5", "a=0,b=1", "a=nan,b=1", "../x=1", "a=1,"])
def test_what_is_no_split_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="split="):
        parse_sides(text)


def _face(person: int, off: float = 0.0) -> list[float]:
    """Return an embedding: people are 1.4 apart, `off` moves one from itself."""
    face = np.zeros(128)
    face[2 * person], face[2 * person + 1] = 1, off
    return [float(value) for value in face.astype(np.float32)]


def test_files_of_one_person_are_one_name() -> None:
    """Directly, by a picture in between, or by one face of a group; rows repeat their source; faces may be lacking."""
    rows = [
        ("b", _face(0)), ("b", _face(0)), ("a", _face(0, 0.4)), ("c", _face(0, 0.8)), ("d", _face(1)),
        ("group", _face(2)), ("group", _face(3)), ("e", _face(3, 0.1)), ("none", None), ("other", None),
    ]  # fmt: skip
    names = pa.chunked_array([[name for name, _ in rows[:4]], [name for name, _ in rows[4:]]], pa.string())
    faces = pa.chunked_array([[face for _, face in rows]], pa.list_(pa.float32()))
    people = find_people(names, faces, 0.45)
    assert people == {"b": "a", "c": "a", "group": "e"}
    renamed = as_people(pa.chunked_array([["c", "d", "group", "none", "nobody"]]), people)
    assert renamed.to_pylist() == ["a", "d", "e", "none", "nobody"]
    assert find_people(names, faces, 0.3) == {"group": "e"}
    assert find_people(names.slice(8), faces.slice(8), 0.45) == {}


def test_a_pair_without_a_driving_goes_where_its_source_goes() -> None:
    """`driving=none` is no motion that could stand on two sides: fifty such pairs are split like any others."""
    uris = {"source_uri": [f"file:///s{n}.mp4" for n in range(50)], "driving_uri": [NO_DRIVING] * 49 + ["file:///d"]}
    rows = pa.table({**uris, "driving_id": ["none"] * 49 + ["d"]})
    assert who(rows, "driving").to_pylist() == [*who(rows, "source").to_pylist()[:49], "file:file:///d"]
    side = assign(Endpoints.of(who(rows, "source"), who(rows, "driving")), SIDES, 0)
    assert not (side == LEFT_OUT).any() and len(np.unique(side)) == 3


def cast_of(*drivings: tuple[str, str | None]) -> str:
    roles = [
        {"face": i, "driving_id": d, "driving_uri": f"/{d}.mp4", "subject_id": s} for i, (d, s) in enumerate(drivings)
    ]
    return json.dumps(roles)


def test_drivings_of_one_video_are_one_driving() -> None:
    """In a cast by file and by subject; who stands alone elsewhere stands with the others there, too."""
    rows = pa.table(
        {
            "driving_uri": ["/a.mp4", "/a.mp4", "/c.mp4", "/d.mp4", "/e.mp4", "/b.mp4"],
            "driving_subject_id": pa.array([None, None, "cleo", None, None, None], pa.string()),
            "cast": [cast_of(("a", None), ("c", "cleo")), None, None, None, cast_of(("e", None), ("d", None)), None],
        }
    )
    names = who(rows, "driving")
    assert names.to_pylist() == [
        "file:/a.mp4",
        "file:/a.mp4",
        "subject:cleo",
        "file:/d.mp4",
        "file:/e.mp4",
        "file:/b.mp4",
    ]
    alike = joined({"subject:cleo": "file:/b.mp4"}, casts(rows))
    first, second, third, fourth, fifth, sixth = as_people(names, alike).to_pylist()
    assert first == second == third == sixth and fourth == fifth != first
    assert joined({"x": "y"}, []) == {"x": "y"} and casts(rows.drop_columns(["cast"])) == []
