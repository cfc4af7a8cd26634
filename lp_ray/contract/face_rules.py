"""The names of the rules that choose a face in a picture. `lp_ray.face.select` implements them."""

from __future__ import annotations

FACE_RULES = ("large-small", "small-large", "left-right", "right-left", "top-bottom", "bottom-top", "best")
"""Each rule takes the first face in its order. `best` takes the face with the detector's highest score."""

DEFAULT_FACE = "large-small"
"""The rule for people, if a row gives none."""

BEST_FACE = "best"
"""The rule for animals that are searched for, if a row gives none; the same as in the reference."""

ALL_FACES = "all"
"""As a source's `face`: every face in the picture, animated together."""
