"""`ahead` makes the next item while the last one is in use, and no further one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lp_ray.runtime.ahead import ahead

PATIENCE_S = 20.0


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_the_next_item_is_made_while_one_is_held_and_the_one_after_it_is_not(thread: ThreadPoolExecutor) -> None:
    begun = [threading.Event() for _ in range(5)]

    def items() -> Iterator[int]:
        for i, event in enumerate(begun):
            event.set()
            yield i

    answers = ahead(items(), thread)
    for i in range(3):
        assert next(answers) == i
        assert begun[i + 1].wait(PATIENCE_S)
        assert not begun[i + 2].is_set()
    assert list(answers) == [3, 4]


def test_an_error_comes_in_its_turn(thread: ThreadPoolExecutor) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second")

    answers = ahead(items(), thread)
    assert next(answers) == 1
    with pytest.raises(ValueError, match="the second"):
        next(answers)


def test_what_is_closed_asks_for_nothing_more(thread: ThreadPoolExecutor) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(9):
            made.append(i)
            yield i

    answers = ahead(items(), thread)
    assert next(answers) == 0
    answers.close()  # type: ignore[attr-defined]
    n_made = len(made)
    assert n_made <= 2
    assert thread.submit(lambda: len(made)).result() == n_made
