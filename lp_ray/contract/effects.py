"""When an option has no effect: the facts about a pair that decide it, and the conditions that options declare.

An option acts or not by what its pair is (a picture or a video, a clip or a motion template) and by the other options.
Each condition is data beside the option it belongs to (`lp_ray.contract.options`); what is done about it is in
`lp_ray.contract.normalise`. What a file happens to hold is no condition: a `driving_length` of a driving that is long
enough, or `audio=source` of a silent source, is honoured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PairFacts:
    """What is known of a pair; None: not known, so that nothing is concluded from it.

    The first four are known when pairs get their keys. The last two are known when the driving has been read.
    """

    source_video: bool | None = None
    source_box: bool | None = None
    """Whether the manifest gives the source's face as a box."""
    driving_template: bool | None = None
    animal: bool | None = None
    """Whether the engine's variant is the animals'."""
    driving_still: bool | None = None
    """Whether the driving is one frame."""
    driving_square: bool | None = None
    """Whether the driving's frames are as wide as they are high."""


@dataclass(frozen=True)
class Idle:
    """A condition under which an option, or only some of its `values`, changes nothing.

    It holds where every fact (a field of PairFacts) and every other option named has the value given.
    """

    because: str
    facts: Mapping[str, bool] = field(default_factory=dict)
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    values: tuple[Any, ...] = ()
    """Of the option itself; empty: all."""

    def holds(self, value: Any, options: Any, facts: PairFacts) -> bool:
        """Whether an option of this value has no effect beside `options` (a PairOptions) in a pair of these facts."""
        if self.values and value not in self.values:
            return False
        if any(getattr(facts, name) is not wanted for name, wanted in self.facts.items()):
            return False
        return all(getattr(options, name) in wanted for name, wanted in self.options.items())


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
BY_ONE_FRAME = (Idle("the driving is one frame", facts={"driving_still": True}),)
ONLY_ONE_FRAME = (
    Idle("the driving is one frame, its most neutral one", facts={"driving_still": True}, values=("neutral",)),
)

A_PICTURE = (
    Idle("the result is one PNG", facts={"source_video": False, "driving_still": True}, options={"format": ("auto",)}),
)
_SILENT_FORMAT = (
    Idle("GIFs and archives of frames have no sound", options={"format": ("gif", "frames"), "comparison": (False,)}),
)
SOUNDLESS = (
    *A_PICTURE,
    *_SILENT_FORMAT,
    Idle("the source is a picture, which has no sound", facts={"source_video": False}, values=("source",)),
    Idle(
        "the driving is a motion template, which has no sound: the source's is taken anyway",
        facts={"driving_template": True},
        values=("source",),
    ),
    Idle(
        "neither a picture nor a motion template has sound",
        facts={"source_video": False, "driving_template": True},
        values=("none",),
    ),
)
TRACKLESS = (
    *A_PICTURE,
    *_SILENT_FORMAT,
    Idle("audio=none", options={"audio": ("none",)}),
    Idle("neither a picture nor a motion template has sound", facts={"source_video": False, "driving_template": True}),
)
NOT_ENCODED = (
    *A_PICTURE,
    Idle("an archive of PNG frames is not encoded", options={"format": ("frames",), "comparison": (False,)}),
)
