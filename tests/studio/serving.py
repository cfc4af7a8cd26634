"""What a studio under test is given."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path

from lp_ray.base.limits import Limits
from lp_ray.media.clip import open_footage
from lp_ray.media.encode import encode_segment

UPLOAD_BYTES = 3_000_000


def small(path: Path, source: Path) -> Path:
    """Write the first 0.4 s of a clip."""
    encode_segment(path, islice(open_footage(source, Limits()).frames(), 8), Fraction(25), 20, "ultrafast")
    return path
