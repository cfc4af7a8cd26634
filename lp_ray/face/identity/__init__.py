"""Tell people apart by their faces: 128 numbers that are close together for pictures of one person."""

from lp_ray.face.identity.chips import CHIP_SIZE, align
from lp_ray.face.identity.compare import SAME_PERSON, WARNING, cosine, distance
from lp_ray.face.identity.network import EMBEDDING_SIZE, IdentityNetwork

__all__ = ["CHIP_SIZE", "EMBEDDING_SIZE", "SAME_PERSON", "WARNING", "IdentityNetwork", "align", "cosine", "distance"]
