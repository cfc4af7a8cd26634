"""Compute the next item while the consumer still handles the last one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], thread: ThreadPoolExecutor) -> Iterator[T]:
    """Yield what `items` yields, while `thread` (which has one worker) already computes the item after it.

    Two items are held in memory at a time. An exception from `items` is raised when its turn comes. When the consumer
    closes this generator, `items` is no longer used.
    """
    end = object()
    coming: Future[T | object] = thread.submit(next, items, end)
    try:
        while (item := coming.result()) is not end:
            coming = thread.submit(next, items, end)
            yield item  # type: ignore[misc]
            del item
    finally:
        coming.cancel()
        wait([coming])
