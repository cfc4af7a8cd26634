"""People and animals: what a source shows, and which networks animate it."""

from __future__ import annotations

from typing import Literal

Variant = Literal["human", "animal"]
"""Which networks an engine runs."""

AUTO = "auto"
"""As a source's `subject`: look for a person first."""

SUBJECTS = ("human", "animal", AUTO)
"""Values of the column `subject` in a sources manifest."""
