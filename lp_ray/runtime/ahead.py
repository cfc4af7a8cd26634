"""Computing the next piece while the last one is still being taken away."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], thread: ThreadPoolExecutor) -> Iterator[T]:
    """Yield what `items` yields, with the item after it already in the making in `thread`, which has one worker.

    So two items are held at a time. What `items` raises is raised in its turn; it is left alone once the answer is
    closed.
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
