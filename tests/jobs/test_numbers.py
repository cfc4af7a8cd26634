"""A setting that holds a number is taken within its bounds, and refused by name beyond them."""

from __future__ import annotations

import math
import re

import pytest

from jobs.numbers import number, whole
from lp_ray.base.errors import RefusedError


def test_both_bounds_belong_to_the_range_unless_the_lower_one_is_said_not_to() -> None:
    assert [number("n", value, 0, 2) for value in (0, 0.5, 2)] == [0.0, 0.5, 2.0]
    assert (whole("n", 1, 1, 512), whole("n", 512, 1, 512), whole("n", 10**9, 0)) == (1, 512, 10**9)
    assert number("n", 1e-9, 0, above=True) == 1e-9


@pytest.mark.parametrize("value", [-1, 2.1, "1", None, True, math.nan, [1]])
def test_anything_else_is_refused_with_what_it_must_be(value: object) -> None:
    with pytest.raises(RefusedError, match=re.escape(f"n={value!r} must be a number from 0 to 2")):
        number("n", value, 0, 2)


def test_the_range_is_said() -> None:
    for refused, said in (
        (lambda: number("n", 0, 0, 1000, above=True), "n=0 must be a number above 0, at most 1000"),
        (lambda: number("n", 0, 0, above=True), "n=0 must be a number above 0"),
        (lambda: number("n", 0, 1), "n=0 must be a number from 1 on"),
        (lambda: whole("n", 0, 1, 10_000_000), "n=0 must be a whole number from 1 to 10000000"),
        (lambda: whole("n", 1.0, 0), "n=1.0 must be a whole number from 0 on"),
    ):
        with pytest.raises(RefusedError, match=f"^{said}$"):
            refused()
