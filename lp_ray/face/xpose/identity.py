"""The identity of X-Pose: its version, and the names of its files in a weight store."""

from __future__ import annotations

CODE_VERSION = 1
"""Raise this when the same picture and weights would give other points."""

WEIGHTS = "animal/xpose.safetensors"
POINTS = (9, 68)


def prompts_name(points: int) -> str:
    """Return the name in a weight store of the text prompts for a number of points."""
    return f"animal/prompts_{points}.npz"
