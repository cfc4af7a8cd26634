"""What a worker makes of a stage's row, and what an error becomes: a failure, a filtered pair, the job's stop, or a
bug."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lp_ray.base.errors import FilteredError, NoFaceError, StorageFullError, WeightsError
from lp_ray.contract.failure import STOPPED, Failure
from lp_ray.contract.result_schema import FAILED, FILTERED
from lp_ray.contract.rows import Row, Trace
from lp_ray.engine.factory import EngineIdentity, EngineSpec
from lp_ray.plan.settings import Settings
from lp_ray.runtime.worker import Worker, finish
from lp_ray.stages.contract import Bench, Stage, Task

BENCH = Bench(Settings("file:///out", "file:///t", EngineSpec("preview")), EngineIdentity("preview", "d", False, 512))


@dataclass(frozen=True)
class Number(Row):
    key: str
    index: int


class Countdown(Stage[Number, Number]):
    """Yields a row for each number down from the one it gets; raises what it was told to at 0."""

    name = "countdown"
    takes = gives = Number
    error: Exception | None = None

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def work(self, row: Number) -> Iterator[Number]:
        for index in range(row.index, 0, -1):
            yield Number(row.key, index)
        if self.error is not None:
            raise self.error


def rows_of(error: Exception | None, row: Number, kind: type[Countdown] = Countdown) -> list[Any]:
    stage = type("Raising", (kind,), {"error": error})
    return list(Worker(stage, BENCH).rows(row))


def test_seconds_of_earlier_stages_ride_on_the_first_row_alone() -> None:
    """So that the sum over a pair's rows counts each second once."""
    made = rows_of(None, Number("a", 3, trace=Trace({"source": 2.0})))
    assert [row.index for row in made] == [3, 2, 1]
    assert [sorted(row.trace.seconds) for row in made] == [["countdown", "source"], ["countdown"], ["countdown"]]
    assert made[0].trace.seconds["source"] == 2.0


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (NoFaceError("none"), FAILED, "NoFaceError"),
        (FilteredError("blurred", 0.2), FILTERED, ""),
        (StorageFullError("full"), STOPPED, "StorageFullError"),
    ],
)
def test_an_error_of_ours_is_a_row_that_says_what_it_means(error: Exception, status: str, name: str) -> None:
    *before, last = rows_of(error, Number("a", 2))
    assert len(before) == 2, "what was made before it stands"
    failure = last.trace.failure
    assert failure == Failure("countdown", name, str(error), status, score=0.2 if status == FILTERED else None)
    assert not failure.is_unexpected


def test_any_other_error_keeps_its_traceback_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    """In the log, and in the failure: a mistake of ours must be found, and nobody's password with it."""
    with caplog.at_level(logging.ERROR):
        (row,) = rows_of(TypeError("s3://key:secret@host/x is no number"), Number("a", 0))
    failure = row.trace.failure
    assert failure is not None and failure.is_unexpected and failure.status == FAILED
    assert "in work" in failure.traceback and "raise self.error" in failure.traceback
    assert "secret" not in failure.traceback + failure.error + caplog.text
    assert "TypeError" in caplog.text


def test_a_row_that_failed_before_passes_by_the_stage() -> None:
    trace = Trace({"source": 1.0}, Failure("source", "NoFaceError", "none"))
    assert rows_of(TypeError("never"), Number("a", 5, trace=trace)) == [Number("a", 5, trace=trace)]


def test_what_a_stage_cannot_be_made_for_is_the_answer_to_every_row() -> None:
    class Unmade(Countdown):
        def __init__(self, bench: Bench) -> None:
            raise WeightsError("altered")

    worker = Worker(Unmade, BENCH)
    for key in "ab":
        (row,) = worker.rows(Number(key, 1))
        assert row.trace.failure == Failure("countdown", "WeightsError", "altered", STOPPED)


def test_a_stage_that_gives_nothing_or_another_row_is_a_mistake() -> None:
    class Other(Countdown):
        def work(self, row: Number) -> Iterator[Any]:
            yield row.to_batch()

    for made in (rows_of(None, Number("a", 0)), rows_of(None, Number("a", 0), Other)):
        assert made[-1].trace.failure is not None and made[-1].trace.failure.is_unexpected


def test_a_task_answers_or_says_why_not() -> None:
    assert finish(Task("add", lambda a, b: a + b), 1, 2) == 3
    assert finish(Task("wait", lambda elapsed: elapsed() >= 0.0, timed=True)) is True

    def bad() -> None:
        raise NoFaceError("none")

    assert finish(Task("bad", bad)) == Failure("bad", "NoFaceError", "none")
    assert finish(Task("wrong", lambda: 1 / 0)).is_unexpected
