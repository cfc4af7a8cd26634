"""What an actor keeps between rows: the newest answers, with lookups counted for the dashboard."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from lp_ray.base import metrics
from lp_ray.base.errors import InputError

V = TypeVar("V")


class Cache(Generic[V]):
    """The `size` answers that were used last.

    An InputError is an answer too: a bad input is read once, however many rows ask for it.
    """

    def __init__(self, name: metrics.CacheName, size: int) -> None:
        self._name = name
        self._size = size
        self._answers: OrderedDict[Hashable, V | InputError] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the answer of a key, from `make` where it is not kept. Raises what `make` raises, or raised."""
        known = key in self._answers
        metrics.cache_looked_up(self._name, hit=known)
        if not known:
            while len(self._answers) >= self._size:
                self._answers.popitem(last=False)
            self._answers[key] = _answer(make)
        self._answers.move_to_end(key)
        found = self._answers[key]
        if isinstance(found, InputError):
            raise type(found)(*found.args)  # a new one: a traceback would grow with every raise
        return found


def _answer(make: Callable[[], V]) -> V | InputError:
    try:
        return make()
    except InputError as error:
        return error.with_traceback(None)
