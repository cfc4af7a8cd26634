"""Conditions under which an option has no effect, and the facts about a pair on which they depend.

Whether an option has an effect depends on its pair (picture or video, clip or motion template) and on other options.
Each condition is data, declared with its option (`lp_ray.contract.options`); `lp_ray.contract.normalise` applies it.
The content of a file is never a condition: a `driving_length` for a driving that is long enough, or `audio=source` for
a silent source, is honoured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PairFacts:
    """Facts about a pair. None means not known; then no condition that needs the fact holds.

    `driving_still` and `driving_square` are known once the driving has been read, all else when pairs get their keys.
    """

    source_video: bool | None = None
    source_box: bool | None = None
    """Whether the manifest gives the source's face as a box."""
    driving_template: bool | None = None
    driving_performance: bool | None = None
    """Whether the driving is a table of curves. Then it counts as a template too."""
    animal: bool | None = None
    """Whether the engine's variant is animal."""
    driving_still: bool | None = None
    """Whether the driving is one frame."""
    driving_square: bool | None = None
    """Whether the driving's frames are square."""
    driving_cast: bool = False
    """Whether each face has a driving of its own. Then the other facts about the driving hold if they do for all."""
    driving_sound: bool | None = False
    """Whether a sound file lies beside a driving that is a table of curves; of several drivings: beside any."""


@dataclass(frozen=True)
class Idle:
    """A condition under which an option, or only some of its `values`, changes nothing.

    It holds if every fact (a field of PairFacts) and every other option that it names has the given value, and if one
    of the options that it says are `given`, if any, is not at its default.
    """

    because: str
    facts: Mapping[str, bool] = field(default_factory=dict)
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    values: tuple[Any, ...] = ()
    """Values of the option for which the condition can hold; empty: all."""
    given: tuple[str, ...] = ()

    def holds(self, value: Any, options: Any, facts: PairFacts) -> bool:
        """Return whether an option with this value has no effect, given the other `options` (a PairOptions) and the
        facts."""
        if self.values and value not in self.values:
            return False
        if any(getattr(facts, name) is not wanted for name, wanted in self.facts.items()):
            return False
        defaults = type(options)
        if self.given and all(getattr(options, name) == getattr(defaults, name) for name in self.given):
            return False
        return all(getattr(options, name) in wanted for name, wanted in self.options.items())


PERFORMED = (Idle("the driving is a performance", facts={"driving_performance": True}),)
OWN_LIPS = (
    Idle("lip_ratio is the source's own", facts={"driving_performance": False}, options={"lip_ratio": (-1.0,)}),
)
DRIVEN = (Idle("the driving's motion takes its place", facts={"driving_performance": False}),)
_RELATIVE = {"flag_relative_motion": (True,)}
_REPLACED = "eye or lip retargeting replaces the driving's motion in relative mode"

CROPPED = (Idle("flag_do_crop=false: the source is a crop already", options={"flag_do_crop": (False,)}),)
UPRIGHT = (Idle("an animal's box is cropped upright", facts={"animal": True, "source_box": True}),)

OF_A_TEMPLATE = (Idle("the driving is a motion template", facts={"driving_template": True}),)
NOT_SQUARE = (Idle("a driving that is not square is always cropped", facts={"animal": False, "driving_square": False}),)
UNCROPPED = (
    Idle(
        "a square driving is taken whole without flag_crop_driving_video",
        facts={"driving_square": True},
        options={"flag_crop_driving_video": (False,)},
    ),
    Idle(
        "an animal's driving is taken whole without flag_crop_driving_video",
        facts={"animal": True},
        options={"flag_crop_driving_video": (False,)},
    ),
)

MOTIONLESS = (Idle("driving_multiplier=0: nothing moves", options={"driving_multiplier": (0.0,)}),)
REPLACED = (
    Idle(_REPLACED, options={**_RELATIVE, "flag_eye_retargeting": (True,)}),
    Idle(_REPLACED, options={**_RELATIVE, "flag_lip_retargeting": (True,)}),
)
RETARGETED = (
    Idle("eye retargeting takes its place", options={"flag_eye_retargeting": (True,)}),
    Idle("lip retargeting takes its place", options={"flag_lip_retargeting": (True,)}),
)
ABSOLUTE = (Idle("flag_relative_motion=false", options={"flag_relative_motion": (False,)}),)
OF_A_PICTURE = (Idle("the source is a picture", facts={"source_video": False}),)
OF_A_VIDEO = (Idle("the source is a video", facts={"source_video": True}),)
LENGTHLESS = (Idle("the source is a picture", facts={"source_video": False, "driving_cast": False}),)
BY_ONE_FRAME = (Idle("the driving is one frame", facts={"driving_still": True}),)
ONLY_ONE_FRAME = (
    Idle("the driving is one frame, its most neutral one", facts={"driving_still": True}, values=("neutral",)),
)

A_PICTURE = (
    Idle("the result is one PNG", facts={"source_video": False, "driving_still": True}, options={"format": ("auto",)}),
)
_NO_SOUND = {"source_video": False, "driving_template": True, "driving_sound": False}
_SILENT_FORMAT = (
    Idle("GIFs and archives of frames have no sound", options={"format": ("gif", "frames"), "comparison": (False,)}),
)
SOUNDLESS = (
    *A_PICTURE,
    *_SILENT_FORMAT,
    Idle("the source is a picture, which has no sound", facts={"source_video": False}, values=("source",)),
    Idle(
        "a video of which a part is animated keeps its own sound anyway",
        facts={"source_video": True},
        values=("source",),
        given=("source_start_s", "source_end_s"),
    ),
    Idle(
        "the driving is a motion template, which has no sound: the source's is taken anyway",
        facts={"driving_template": True, "driving_sound": False},
        values=("source",),
    ),
    Idle(
        "neither a picture nor a motion template has sound",
        facts=_NO_SOUND,
        values=("none",),
    ),
)
TRACKLESS = (
    *A_PICTURE,
    *_SILENT_FORMAT,
    Idle("audio=none", options={"audio": ("none",)}),
    Idle("neither a picture nor a motion template has sound", facts=_NO_SOUND),
)
_UNENCODED = (
    *A_PICTURE,
    Idle("an archive of PNG frames is not encoded", options={"format": ("frames",), "comparison": (False,)}),
)
NOT_ENCODED = (
    *_UNENCODED,
    Idle("ProRes 4444 has one quality", options={"format": ("mov",), "comparison": (False,)}),
)
NOT_ON_A_GPU = (
    *_UNENCODED,
    Idle("VP9 and ProRes are encoded on the CPU", options={"format": ("webm", "mov"), "comparison": (False,)}),
    Idle(
        "VP9 and ProRes are encoded on the CPU",
        options={"format": ("auto",), "alpha": ("keep",), "comparison": (False,)},
    ),
)
