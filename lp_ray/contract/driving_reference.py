"""How the option `driving_reference` is written. `lp_ray.motion.reference` finds the frame."""

from __future__ import annotations

from lp_ray.base.errors import RefusedError

FIRST = "first"
NEUTRAL = "neutral"


def parse_reference(text: str) -> str | int:
    """Return "first", "neutral" or an index >= 0. Raises RefusedError for any other text."""
    if text in (FIRST, NEUTRAL):
        return text
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise RefusedError(f"driving_reference={text!r} must be {FIRST}, {NEUTRAL} or a frame's index")


def canonical_reference(text: str) -> str:
    """Return the canonical form of `text`: "first" for frame 0, no leading zeros. Raises RefusedError."""
    choice = parse_reference(text)
    return FIRST if choice == 0 else str(choice)
