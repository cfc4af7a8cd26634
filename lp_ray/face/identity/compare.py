"""Measure how similar two faces are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAME_PERSON = 0.6
"""Two faces below this L2 distance usually count as one person (dlib). This is generous: different people in the test
media are 0.53 and more apart."""

WARNING = 0.45
"""From this L2 distance on, a result should be checked. Any two people in the test media are farther apart."""

Embeddings = NDArray[np.floating]


def cosine(a: Embeddings, b: Embeddings) -> NDArray[np.float64]:
    """Return the cosine similarity of embeddings (... x 128 each, shapes broadcast): 1 for the same direction."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(-1) / np.maximum(lengths, 1e-12), np.float64)


def distance(a: Embeddings, b: Embeddings) -> NDArray[np.float64]:
    """Return the L2 distance of embeddings (... x 128 each, shapes broadcast): 0 for the same face."""
    return np.asarray(np.linalg.norm(a.astype(np.float64) - b.astype(np.float64), axis=-1), np.float64)
