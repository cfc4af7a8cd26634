"""Names of the rules that say which face of a picture is meant; `lp_ray.face.select` is what they do."""

from __future__ import annotations

FACE_RULES = ("large-small", "small-large", "left-right", "right-left", "top-bottom", "bottom-top", "best")
"""Each takes the first face of its order; `best`, the face that the detector believes in most."""

DEFAULT_FACE = "large-small"
"""The rule for people, where a row does not say."""

BEST_FACE = "best"
"""The rule for animals that are looked for, where a row does not say; as in the reference."""

ALL_FACES = "all"
"""As a source's `face`: every face of the picture, animated together."""
