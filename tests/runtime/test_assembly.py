"""A key is whole exactly once, however its pieces come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lp_ray.contract.failure import Failure
from lp_ray.runtime.assembly import Assembly, Outcome

FAILURE = Failure("animate", "EngineOutputError", "black")


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.permutations([*range(n)] * 2))))
def test_pieces_in_any_order_and_twice_make_one_whole(case: tuple[int, list[int]]) -> None:
    n, order = case
    assembly = Assembly()
    assembly.expect("a", n)
    answers = []
    for index in order:
        answers.append(assembly.add("a", index, {"write": 1.0}, None))
        if answers[-1] is Outcome.WHOLE:
            assert assembly.settle("a") == {"write": float(n)}
    assert answers.count(Outcome.KNOWN) == n
    assert answers.count(Outcome.WHOLE) == 1 and Outcome.FAILED not in answers
    assert assembly.unsettled() == []


def test_a_failure_settles_its_key_once_and_no_other() -> None:
    assembly = Assembly()
    assembly.expect("a", 2)
    assembly.expect("b", 1)
    assert assembly.add("a", 0, {}, None) is Outcome.OPEN
    assert assembly.add("a", 1, {}, FAILURE) is Outcome.FAILED
    assert assembly.add("a", 1, {}, FAILURE) is Outcome.KNOWN
    assert assembly.add("a", 1, {}, None) is Outcome.KNOWN
    assert assembly.unsettled() == ["b"]
    assert assembly.add("b", 0, {}, None) is Outcome.WHOLE
