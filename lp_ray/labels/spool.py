"""Arrays with one row per frame, collected on disk, so that memory does not grow with the clip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Spool:
    """Appends rows to one raw file per array, and maps the whole arrays at the end."""

    def __init__(self, folder: Path) -> None:
        """`folder` must exist; it has to live as long as the mapped arrays are used."""
        self._folder = folder
        self._kinds: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}

    def add(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Append rows to the arrays. Raises ValueError if an array's type or shape of a row changes."""
        for name, rows in arrays.items():
            kind = rows.dtype, rows.shape[1:]
            if self._kinds.setdefault(name, kind) != kind:
                raise ValueError(f"{name}: rows of {kind} after rows of {self._kinds[name]}")
            with (self._folder / f"{name}.raw").open("ab") as file:
                file.write(np.ascontiguousarray(rows).tobytes())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays, read-only, mapped into memory."""
        return {name: self._mapped(name, *kind) for name, kind in self._kinds.items()}

    def _mapped(self, name: str, dtype: np.dtype[Any], tail: tuple[int, ...]) -> NDArray[Any]:
        path = self._folder / f"{name}.raw"
        n = path.stat().st_size // (dtype.itemsize * math.prod(tail))
        return np.memmap(path, dtype, "r", shape=(n, *tail)) if n else np.empty((0, *tail), dtype)
