"""People and animals: what a source shows, and which networks animate it."""

from __future__ import annotations

from typing import Literal

Variant = Literal["human", "animal"]
"""Which networks an engine runs."""

AUTO = "auto"
"""As a source's `subject`: the detector of people looks first."""

SUBJECTS = ("human", "animal", AUTO)
"""What a sources manifest may say in its column `subject`."""
