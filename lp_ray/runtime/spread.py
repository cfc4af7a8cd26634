"""Spread pieces of work that need no stage over a Ray cluster: one task each, tried again where a node is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import ray

from lp_ray.base.errors import LpRayError, error_of

T = TypeVar("T")
R = TypeVar("R")


def spread(work: Callable[[T], R], pieces: Iterable[T], at_once: int) -> Iterator[R]:
    """Yield what `work` answers for each piece, in the order in which pieces end; pieces are read as there is room.

    `work` must be safe to repeat. An error of ours is raised here as it was there, once the pieces under way have
    ended; no further ones are begun.
    """
    remote: Any = ray.remote(num_cpus=1, max_retries=3)(_attempt).options(name=work.__name__)
    waiting, running = iter(pieces), set[Any]()
    failed: LpRayError | None = None
    while True:
        while failed is None and len(running) < at_once and (piece := next(waiting, None)) is not None:
            running.add(remote.remote(work, piece))
        if not running:
            break
        (ended, *_), _ = ray.wait(list(running), num_returns=1)
        running.remove(ended)
        answer, error = ray.get(ended)
        if error is not None:
            failed = failed or error_of(*error)
        else:
            yield answer
    if failed is not None:
        raise failed


def _attempt(work: Callable[[T], R], piece: T) -> tuple[R | None, tuple[str, str] | None]:
    """Answer errors of ours by class and message: Ray would wrap them, and add a traceback to their text."""
    try:
        return work(piece), None
    except LpRayError as error:
        return None, (type(error).__name__, str(error))
