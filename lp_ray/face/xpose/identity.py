"""What makes one X-Pose another: versions, and the names of its files in a weight store."""

from __future__ import annotations

CODE_VERSION = 1
"""Raised when the same picture and weights would give other points."""

WEIGHTS = "animal/xpose.safetensors"
POINTS = (9, 68)


def prompts_name(points: int) -> str:
    """Return what a weight store calls the text prompts of so many points."""
    return f"animal/prompts_{points}.npz"
