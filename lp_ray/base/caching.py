"""A cache for actors: keeps the most recently used answers and counts lookups for the dashboard."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from lp_ray.base import metrics
from lp_ray.base.errors import InputError

V = TypeVar("V")


class Cache(Generic[V]):
    """Keeps the `size` answers that were used last.

    An InputError is an answer too: a bad input is read only once, however many rows need it.
    """

    def __init__(self, name: metrics.CacheName, size: int) -> None:
        self._name = name
        self._size = size
        self._answers: OrderedDict[Hashable, V | InputError] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the answer for a key; call `make` if none is cached. Raises what `make` raises or raised before."""
        known = key in self._answers
        metrics.cache_looked_up(self._name, hit=known)
        if not known:
            while len(self._answers) >= self._size:
                self._answers.popitem(last=False)
            self._answers[key] = _answer(make)
        self._answers.move_to_end(key)
        found = self._answers[key]
        if isinstance(found, InputError):
            raise type(found)(*found.args)  # a new exception: its traceback would grow with every raise
        return found


def _answer(make: Callable[[], V]) -> V | InputError:
    try:
        return make()
    except InputError as error:
        return error.with_traceback(None)
