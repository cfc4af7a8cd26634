"""Animate portraits by the thousand on Ray, or one at a time without it.

from lp_ray import LivePortraitPipeline
row = LivePortraitPipeline().animate("a.jpg", "b.mp4", "out")
"""

from typing import TYPE_CHECKING, Any

from lp_ray.base.version import __version__

if TYPE_CHECKING:
    from lp_ray.api import (
        ArrayClip,
        LivePortraitPipeline,
        LivePortraitPipelineAnimal,
        PairFailedError,
        read_labels,
        read_results,
    )

_LIBRARY = (
    "ArrayClip",
    "LivePortraitPipeline",
    "LivePortraitPipelineAnimal",
    "PairFailedError",
    "read_labels",
    "read_results",
)

__all__ = [
    "ArrayClip",
    "LivePortraitPipeline",
    "LivePortraitPipelineAnimal",
    "PairFailedError",
    "__version__",
    "read_labels",
    "read_results",
]


def __getattr__(name: str) -> Any:
    """Load the library's classes when they are first used, because stages and jobs do not need them."""
    if name in _LIBRARY:
        from lp_ray import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
