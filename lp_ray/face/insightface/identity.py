"""The landmarker's identity, known without importing onnxruntime or insightface."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

NAME = "insightface"
N_POINTS = 203

CODE_VERSION = 2
"""Raise this with every change that moves a point."""


def landmarker_digest(hashes: Iterable[str]) -> str:
    """Return the digest of the landmarker for models with these SHA-256 hashes, in the order of `files.FILES`."""
    return hashlib.sha256(":".join([*hashes, str(CODE_VERSION)]).encode()).hexdigest()[:16]
