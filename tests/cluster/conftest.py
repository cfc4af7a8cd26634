"""Clusters for tests, always cleaned up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ray._private.authentication_test_utils import reset_auth_token_state

from tests.cluster.nodes import HeadProcess, Home, LocalCluster

MakeCluster = Callable[..., LocalCluster]


@pytest.fixture(scope="module")
def head() -> Iterator[HeadProcess]:
    """A head of two CPUs as `ray start --head` makes it, for jobs."""
    head = HeadProcess(cpus=2)
    yield head
    head.stop()


@pytest.fixture
def make_cluster() -> Iterator[MakeCluster]:
    """Start a cluster from its head: `make_cluster(cpus=2, gpus=1)`; nodes are added by its own methods."""
    with clusters() as make:
        yield make


@contextmanager
def clusters() -> Iterator[MakeCluster]:
    """What `make_cluster` gives; the clusters live as long as the block, and so do their variables in this process."""
    started: list[LocalCluster] = []
    monkeypatch = pytest.MonkeyPatch()

    def make(cpus: int, gpus: int = 0) -> LocalCluster:
        home = Home()
        for name, value in home.environment.items():
            monkeypatch.setenv(name, value)
        started.append(LocalCluster(home, cpus, gpus))
        return started[-1]

    try:
        yield make
    finally:
        for cluster in started:
            cluster.stop()
        monkeypatch.undo()
        reset_auth_token_state()
        for cluster in started:
            cluster.home.remove()
