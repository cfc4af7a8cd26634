"""Reading a source picture the same way wherever a stage needs it."""

from __future__ import annotations

from lp_ray import storage
from lp_ray.errors import UnsupportedError
from lp_ray.face.crop import limit_size
from lp_ray.face.protocol import Image
from lp_ray.limits import Limits
from lp_ray.media.images import read_image
from lp_ray.media.sniff import is_video
from lp_ray.stages.rows import SourceRef


def read_source(source: SourceRef, max_dim: int, limits: Limits) -> Image:
    """Read a portrait and shrink it to `max_dim` and even sides.

    `crop_to_original` matrices belong to the picture in this size. Raises InputError.
    """
    with storage.local_copy(source.uri, limits) as path:
        if is_video(path):
            raise UnsupportedError("the source is a video; give an image")
        return limit_size(read_image(path, limits), max_dim)
