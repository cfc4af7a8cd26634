"""Sets of texts that many small batches are looked up in: 16 bytes a text, and no table built anew for each batch."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


class Texts:
    """A set of texts, known by 128 bits of BLAKE2b."""

    def __init__(self, chunks: Iterable[pa.ChunkedArray | pa.Array]) -> None:
        found = [_digests(chunk) for chunk in chunks]
        self._sorted = np.unique(np.concatenate([np.zeros(0, "S16"), *found]))

    def __len__(self) -> int:
        return len(self._sorted)

    def has(self, column: pa.ChunkedArray) -> NDArray[np.bool_]:
        """Return whether each text is in the set; null never is."""
        if not len(self._sorted):
            return np.zeros(len(column), np.bool_)
        wanted = _digests(column)
        places = np.searchsorted(self._sorted, wanted).clip(max=len(self._sorted) - 1)
        found: NDArray[np.bool_] = self._sorted[places] == wanted
        valid: NDArray[np.bool_] = column.is_valid().to_numpy().astype(np.bool_)
        return found & valid


def _digests(column: pa.ChunkedArray | pa.Array) -> NDArray[np.bytes_]:
    texts = (text.encode() if text is not None else b"" for text in column.to_pylist())
    return np.frombuffer(b"".join(blake2b(text, digest_size=16).digest() for text in texts), "S16")
