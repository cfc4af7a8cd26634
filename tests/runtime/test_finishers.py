"""Tasks on Ray: no more at a time than there is room for, each key answered once, whatever fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import ray

from lp_ray.base.errors import InputError
from lp_ray.contract.failure import Failure
from lp_ray.runtime.finishers import MAX_WAITING, RayFinishers, at_once
from lp_ray.stages.contract import Task

pytestmark = pytest.mark.ray


@pytest.fixture
def cluster() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    yield
    ray.shutdown()


@ray.remote(num_cpus=0)
class Watch:
    """Counts how many tasks are at work together."""

    def __init__(self) -> None:
        self._now = self._most = 0

    def came(self, change: int) -> int:
        self._now += change
        self._most = max(self._most, self._now)
        return self._most


def work(watch: Any, number: int) -> int:
    ray.get(watch.came.remote(1))
    ray.get(watch.came.remote(0))  # a round trip, in which others come
    ray.get(watch.came.remote(-1))
    if number == 3:
        raise InputError("the third")
    return 2 * number


def test_all_keys_are_answered_and_few_run_at_a_time(cluster: None) -> None:
    watch, room = Watch.remote(), 3
    finishers = RayFinishers(Task("finalize", work), room=lambda: room)
    answers = {}
    for number in range(MAX_WAITING + 8):
        answers |= dict(finishers.start(str(number), watch, number))
        assert finishers.count() <= room + MAX_WAITING + 1
    answers |= dict(finishers.rest())
    assert finishers.count() == 0 and len(answers) == MAX_WAITING + 8
    failed = answers.pop("3")
    assert isinstance(failed, Failure) and failed.error == "the third"
    assert all(answer == 2 * int(key) for key, answer in answers.items())
    assert 1 <= ray.get(watch.came.remote(0)) <= room


@pytest.mark.parametrize(("cpus", "tasks"), [(0, 4), (2, 4), (6, 12), (64, 32)])
def test_a_cluster_has_room_by_its_cpus(cpus: float, tasks: int) -> None:
    assert at_once(cpus) == tasks
