"""Tests in several processes (`-n 3`): who may run beside whom. Loaded as a plugin by `tests/conftest.py`."""

from __future__ import annotations

import fcntl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@pytest.fixture
def alone() -> None:
    """Nothing else of this run is at work while the test is: for what compares speeds or memory."""


def shared_folder(config: pytest.Config, base: Path) -> Path:
    """Return the folder that all processes of a run have in common; `base` is this one's own."""
    return base.parent if hasattr(config, "workerinput") else base


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: waiting for one's turn is no part of a test's time
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if not hasattr(item.config, "workerinput"):
        return (yield)
    base: Path = item.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    with turn(shared_folder(item.config, base), "alone" in getattr(item, "fixturenames", ())):
        return (yield)


@contextmanager
def turn(folder: Path, by_itself: bool) -> Iterator[None]:
    """Wait until one may run: beside all others, or by itself. Who waits to be by itself lets nobody else begin."""
    with (folder / ".door").open("w") as door, (folder / ".room").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if by_itself else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
