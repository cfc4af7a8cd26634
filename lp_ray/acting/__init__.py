"""Performances made by code: motion curves, the frames that they give on a portrait, and a voice."""

from lp_ray.acting.curves import ONSET_S, PERFORMANCES, Curves, curves
from lp_ray.acting.perform import perform
from lp_ray.acting.voice import sound_track

__all__ = ["ONSET_S", "PERFORMANCES", "Curves", "curves", "perform", "sound_track"]
