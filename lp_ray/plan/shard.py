"""Shards: disjoint parts of a manifest, for several clusters or scheduled runs that write to one output.

The URI of a source decides its shard. So all pairs of a source are in one shard, and stay there as the manifest grows.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lp_ray import storage
from lp_ray.base.errors import InputError, RefusedError
from lp_ray.plan.pairing import Pairs

_FORM = re.compile(r"(\d{1,6})/(\d{1,6})")


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 0) of `count`."""

    index: int
    count: int

    @property
    def name(self) -> str:
        """The shard's name in paths: see layout.py."""
        return f"{self.index}-of-{self.count}"

    def rows(self, uris: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Return which rows of a manifest are in this shard, as a mask."""
        chosen = [self._holds(uri) for chunk in uris.chunks for uri in chunk.to_pylist()]
        return np.array(chosen, np.bool_)

    def _holds(self, uri: str) -> bool:
        with suppress(InputError):  # a bad URI fails in the shard that its text falls into
            uri = storage.normalise(uri)
        digest = blake2b(uri.encode(), digest_size=8).digest()
        return int.from_bytes(digest) % self.count == self.index

    def pairs(
        self, pairs: Pairs, pair_table: pa.Table | None, source_uris: pa.ChunkedArray
    ) -> tuple[Pairs, pa.Table | None]:
        """Return the pairs whose sources are in this shard, and their rows of the pairs manifest."""
        chosen = self.rows(source_uris)[pairs.source_index]
        taken = Pairs(
            pairs.source_index[chosen],
            pairs.driving_index[chosen],
            pairs.option_index[chosen],
            pairs.option_sets,
            pairs.casts,
        )
        return taken, None if pair_table is None else pair_table.filter(pa.array(chosen))


def parse_shard(text: str | None) -> Shard | None:
    """Read `i/n`, with i counted from 0; None means the whole manifest. Raises RefusedError for any other text."""
    if text is None:
        return None
    match = _FORM.fullmatch(str(text))
    if match is None or not int(match[1]) < int(match[2]):
        raise RefusedError(f"shard={text} must be i/n with i from 0 to n - 1, such as 0/4, 1/4, 2/4 and 3/4")
    return Shard(int(match[1]), int(match[2]))
