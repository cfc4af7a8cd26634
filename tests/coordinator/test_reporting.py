"""What a running job counts."""

from __future__ import annotations

import pytest

from lp_ray.contract.result_schema import DONE, FAILED, FILTERED
from lp_ray.coordinator.reporting import Progress, Summary


def test_a_phase_begins_with_everything_left() -> None:
    fresh = Progress("pairs", 7)
    assert (fresh.done, fresh.failed, fresh.filtered, fresh.frames, fresh.total_frames) == (0, 0, 0, 0, 0)
    assert (fresh.settled, fresh.left) == (0, 7)


@pytest.mark.parametrize("status", [DONE, FAILED, FILTERED])
def test_whatever_became_of_it_one_less_is_left(status: str) -> None:
    """And only the count of what became of it has grown."""
    progress = Progress("pairs", 7, done=1, failed=2, filtered=1)
    before = {name: getattr(progress, name) for name in (DONE, FAILED, FILTERED)}
    assert (progress.settled, progress.left) == (4, 3)
    progress.count(status)
    assert (progress.settled, progress.left) == (5, 2)
    assert {name: getattr(progress, name) for name in before} == before | {status: before[status] + 1}


def test_failed_pairs_of_earlier_runs_count() -> None:
    """The exit code is of the whole manifest; what was done or filtered is no failure."""
    assert Summary().failed == 0
    assert Summary({"done": 5, "failed": 2, "filtered": 7}).failed == 2
    assert Summary({"done": 5, "failed": 2}, {"done": 9, "failed": 3}).failed == 5
    assert Summary({"done": 5}, {"failed": 3}).failed == 3


def test_nothing_is_counted_before_it_happens() -> None:
    fresh = Summary()
    assert (fresh.by_status, fresh.before, fresh.by_error) == ({}, {}, {})
    assert (fresh.templates_made, fresh.templates_reused, fresh.frames, fresh.seconds, fresh.unexpected) == (0,) * 5
