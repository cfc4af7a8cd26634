"""The promises of docs/resume.md on pieces and ends, for whatever an executor does: lost, late, repeated, failing.

A fake executor gives pieces in an order that hypothesis chooses; the collector, its tasks and its handler are the real
ones. A model that knows nothing of how they work says what must come of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lp_ray.base.errors import LeaseLostError, LpRayError, StoppedError, StorageFullError, UnexpectedErrorsError
from lp_ray.contract.failure import STOPPED, Failure
from lp_ray.contract.rows import Row, Trace
from lp_ray.coordinator.collector import Collector, State, Unexpected
from lp_ray.runtime.executor import NodesLostError
from lp_ray.runtime.graph import PAIRS

BAD_INPUT = Failure("animate", "EngineOutputError", "black")
FILTERED = Failure("sharp", "", "blurred", "filtered", score=0.1)
MISTAKE = Failure("write", "TypeError", "no", traceback="Traceback …")
DISK_FULL = Failure("write", "StorageFullError", "no room on /out", STOPPED)


@dataclass(frozen=True)
class Span(Row):
    key: str
    start: int
    stop: int

    @property
    def pieces(self) -> range:
        return range(self.start, self.stop)


@dataclass(frozen=True)
class Piece(Row):
    key: str
    index: int


@dataclass
class Book:
    """A handler that writes down what it is told, and a set of tasks whose end the test chooses."""

    n_pieces: dict[str, int] = field(default_factory=dict)
    taken_pieces: list[tuple[str, int]] = field(default_factory=list)
    done_keys: list[str] = field(default_factory=list)
    ended_keys: dict[str, Failure] = field(default_factory=dict)
    running: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def expected(self, piece: Piece) -> int:
        return self.n_pieces[piece.key]

    def taken(self, piece: Piece) -> None:
        self.taken_pieces.append((piece.key, piece.index))

    def task_arguments(self, piece: Piece, seconds: dict[str, float]) -> tuple[Any, ...]:
        self.seconds[piece.key] = seconds["work"]
        return (piece.key,)

    def done(self, key: str, answer: Any) -> None:
        assert answer == f"video of {key}"
        self.done_keys.append(key)

    def ended(self, key: str, failure: Failure) -> None:
        assert key not in self.ended_keys, "ended twice"
        self.ended_keys[key] = failure

    def start(self, key: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        assert key not in self.running and key not in self.done_keys, "its task was started twice"
        self.running.append(key)
        return iter(())

    def ended_tasks(self, answers: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for key, answer in answers.items():
            self.running.remove(key)
            yield key, answer

    def count(self) -> int:
        return len(self.running)

    def rest(self) -> Iterator[tuple[str, Any]]:
        return self.ended_tasks({key: f"video of {key}" for key in list(self.running)})


def collector_of(book: Book, most_unexpected: int = 20) -> Collector[Span, Piece]:
    return Collector(PAIRS, book, book, Unexpected(most_unexpected), lambda: None)  # type: ignore[arg-type]


class Pieces(RuleBasedStateMachine):
    """Keys of one to five pieces in spans of two; pieces come, come again, come too late, or fail."""

    @initialize(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4))
    def begin(self, lengths: list[int]) -> None:
        self.book = Book({f"k{i}": n for i, n in enumerate(lengths)})
        self.rows = [Span(k, a, min(a + 2, n)) for k, n in self.book.n_pieces.items() for a in range(0, n, 2)]
        self.collector = collector_of(self.book)
        self.collector.expect(iter(self.rows))
        self.came: dict[str, set[int]] = {key: set() for key in self.book.n_pieces}
        self.failed: set[str] = set()
        self.finished: set[str] = set()

    def is_open(self, key: str) -> bool:
        return key not in self.failed and len(self.came[key]) < self.book.n_pieces[key]

    @rule(data=st.data())
    def a_piece_comes_perhaps_again(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.book.n_pieces)))
        index = data.draw(st.integers(0, self.book.n_pieces[key] - 1))
        self.collector.take(Piece(key, index, trace=Trace({"work": 1.0})))
        if self.is_open(key):
            self.came[key].add(index)

    @rule(data=st.data(), failure=st.sampled_from([BAD_INPUT, FILTERED, MISTAKE]))
    def a_piece_fails(self, data: st.DataObject, failure: Failure) -> None:
        """Under any number: a span that fails says only where it began."""
        key = data.draw(st.sampled_from(sorted(self.book.n_pieces)))
        index = data.draw(st.integers(0, self.book.n_pieces[key] - 1))
        self.collector.take(Piece(key, index, trace=Trace({}, failure)))
        if self.is_open(key):
            self.failed.add(key)

    @precondition(lambda self: self.book.running)
    @rule(data=st.data(), failure=st.sampled_from([None, BAD_INPUT, MISTAKE]))
    def a_task_ends(self, data: st.DataObject, failure: Failure | None) -> None:
        key = data.draw(st.sampled_from(sorted(self.book.running)))
        for ended, answer in self.book.ended_tasks({key: failure or f"video of {key}"}):
            self.collector.finish(ended, answer)
        (self.finished if failure is None else self.failed).add(key)

    @rule()
    def the_job_is_told_to_stop_and_nothing_is_settled_by_it(self) -> None:
        before = (list(self.book.done_keys), dict(self.book.ended_keys))
        with pytest.raises(StoppedError, match="no room on /out"):
            self.collector.take(Piece("k0", 0, trace=Trace({}, DISK_FULL)))
        assert before == (self.book.done_keys, self.book.ended_keys)

    @invariant()
    def every_key_is_where_the_model_says(self) -> None:
        if not hasattr(self, "book"):
            return
        for key, n in self.book.n_pieces.items():
            whole = len(self.came[key]) == n
            assert (key in self.book.done_keys) == (key in self.finished)
            assert (key in self.book.ended_keys) == (key in self.failed)
            ended = key in self.finished or key in self.failed
            assert (key in self.book.running) == (whole and not ended)
            state = None if ended else State.FINISHING if whole else State.OPEN
            assert self.collector.state(key) is state
            if whole and key not in self.failed:
                assert self.book.seconds[key] == n, "each piece's seconds count once"
        taken = self.book.taken_pieces
        assert len(taken) == len(set(taken)), "a repeat was counted"

    @invariant()
    def what_would_begin_anew_is_all_that_is_open_and_not_whole_and_nothing_else(self) -> None:
        if not hasattr(self, "book"):
            return
        expected = {
            (row.key, row.start)
            for row in self.rows
            if self.is_open(row.key) and not self.came[row.key].issuperset(row.pieces)
        }
        assert {(row.key, row.start) for row in self.collector.lacking()} == expected
        assert len(self.collector) == sum(self.collector.state(key) is not None for key in self.book.n_pieces)


Pieces.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
test_every_key_ends_once_whatever_the_executor_does = Pieces.TestCase


@dataclass
class Script:
    """An executor that gives the script's pieces run by run; a run that ends with an exception raises it."""

    runs: list[list[Any]]
    wave_rows: int = 100
    given: list[list[tuple[str, int]]] = field(default_factory=list)

    def wave(self, graph: Any) -> int:
        return self.wave_rows

    def run(self, graph: Any, rows: Sequence[Any]) -> Iterator[Any]:
        self.given.append([(row.key, row.start) for row in rows])
        for piece in self.runs.pop(0):
            if isinstance(piece, Exception):
                raise piece
            yield piece


def run(book: Book, rows: list[Span], script: Script, heed: Any = lambda: None) -> None:
    book_tasks = book

    class Finishers:
        start, count, rest = book_tasks.start, book_tasks.count, book_tasks.rest

        def ended(self) -> Iterator[tuple[str, Any]]:
            return iter(())

    collector: Collector[Span, Piece] = Collector(PAIRS, Finishers(), book, Unexpected(1), heed)  # type: ignore[arg-type]
    collector.run(script, rows, lambda: None)  # type: ignore[arg-type]


def pieces(key: str, *indices: int) -> list[Piece]:
    return [Piece(key, index, trace=Trace({"work": 1.0})) for index in indices]


def test_after_nodes_are_lost_the_rows_that_are_not_whole_begin_anew_and_no_others() -> None:
    """Whole by pieces of two runs, too."""
    book = Book({"whole": 2, "half": 2, "late": 2, "bad": 1})
    failed = Piece("bad", 0, trace=Trace({}, BAD_INPUT))
    script = Script(
        [
            [*pieces("whole", 0, 1), *pieces("half", 1, 1), failed, NodesLostError()],
            [*pieces("half", 0), NodesLostError()],
            pieces("late", 0, 1),
        ]
    )
    run(book, [Span(key, 0, n) for key, n in book.n_pieces.items()], script)
    assert script.given[1:] == [[("half", 0), ("late", 0)], [("late", 0)]]
    assert sorted(book.done_keys) == ["half", "late", "whole"] and book.ended_keys == {"bad": BAD_INPUT}


def test_rows_are_taken_in_waves_and_a_pair_may_stand_in_two_of_them() -> None:
    book = Book({"a": 4, "b": 2})
    rows = [Span("a", 0, 2), Span("a", 2, 4), Span("b", 0, 2)]
    script = Script([pieces("a", 0, 1), pieces("a", 3, 2), pieces("b", 0, 1)], wave_rows=1)
    run(book, rows, script)
    assert [len(given) for given in script.given] == [1, 1, 1] and book.done_keys == ["a", "b"]


def test_a_key_that_comes_back_neither_whole_nor_failed_is_an_error_that_names_it() -> None:
    with pytest.raises(LpRayError, match=r"1 pairs came back neither whole nor failed: \['a'\]"):
        run(Book({"a": 2}), [Span("a", 0, 2)], Script([pieces("a", 0)]))


def test_a_lost_lease_stops_the_job_before_the_piece_is_taken_in() -> None:
    book = Book({"a": 1})

    def heed() -> None:
        raise LeaseLostError("another job has taken over")

    with pytest.raises(LeaseLostError, match="another job"):
        run(book, [Span("a", 0, 1)], Script([pieces("a", 0)]), heed)
    assert not book.taken_pieces and not book.done_keys


def test_mistakes_are_counted_and_bad_inputs_are_not() -> None:
    """One more than `max_unexpected` ends the job with the last one's traceback; a million bad inputs do not."""
    collector = collector_of(book := Book({f"k{i}": 1 for i in range(40)}), most_unexpected=2)
    collector.expect(iter(Span(f"k{i}", 0, 1) for i in range(40)))
    for i in range(30):
        collector.take(Piece(f"k{i}", 0, trace=Trace({}, BAD_INPUT)))
    for i in (30, 31):
        collector.take(Piece(f"k{i}", 0, trace=Trace({}, MISTAKE)))
    with pytest.raises(UnexpectedErrorsError, match=r"3 pieces of work .*max_unexpected=2.*TypeError: no\nTraceback"):
        collector.take(Piece("k32", 0, trace=Trace({}, MISTAKE)))
    assert book.ended_keys["k32"] == MISTAKE, "the pair's row is written all the same"


def test_what_stops_a_job_in_another_process_is_raised_here_as_the_error_it_was() -> None:
    collector = collector_of(Book({"a": 1}))
    lost = Failure("finalize", "LeaseLostError", "taken over", STOPPED)
    with pytest.raises(LeaseLostError, match="taken over"):
        collector.finish("a", lost)
    with pytest.raises(StoppedError, match="no room") as stopped:
        collector.finish("a", DISK_FULL)
    assert not isinstance(stopped.value, StorageFullError), "work has begun: this is no refusal"
