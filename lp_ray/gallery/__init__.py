"""A page to look at an output: static files beside the results, which a browser opens from disk or from a store."""

from lp_ray.gallery.build import build

__all__ = ["build"]
