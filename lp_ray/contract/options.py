"""The options of a pair: one field each, with its default, range and meaning.

The job's configuration gives a value for all pairs; a column of the same name in the pairs manifest overrides it for
one row. Every option that has an effect in its pair enters the pair's key; `idle` in its declaration says when it has
none. If the reference's command line has another name for an option, that name works too (ALIASES).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from lp_ray.contract import effects
from lp_ray.contract.driving_reference import FIRST
from lp_ray.contract.edits import ALIASES as EDIT_ALIASES
from lp_ray.contract.edits import BY_NAME, CONTROLS, Edits
from lp_ray.contract.effects import Idle
from lp_ray.contract.formats import AUTO, FORMATS

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"]
Region = Literal["all", "exp", "pose", "lip", "eyes"]

LIVEPORTRAIT = "liveportrait"
KEEP = "keep"
"""Of the option `alpha`: the result is as transparent as its source."""

ALIASES = {
    "flag_pasteback": "paste_back",
    "scale": "crop_scale",
    "vx_ratio": "crop_vx",
    "vy_ratio": "crop_vy",
    "scale_crop_driving_video": "driving_crop_scale",
    "vx_ratio_crop_driving_video": "driving_crop_vx",
    "vy_ratio_crop_driving_video": "driving_crop_vy",
    "audio_priority": "audio",
    **EDIT_ALIASES,
}
"""The reference's flag -> our option, where the names differ."""


def _option(
    default: Any,
    help_text: str,
    low: float | None = None,
    high: float | None = None,
    only: str | None = None,
    humans: bool = False,
    idle: tuple[Idle, ...] = (),
    choices: Callable[[], tuple[str, ...]] | None = None,
) -> Any:
    """Declare an option.

    `only` names the one engine that has it. `humans` says that the animal variant does not have it. `idle` lists the
    conditions under which it has no effect; one is enough. `choices` returns the allowed words, if plugins can add
    some.
    """
    declared = {"help": help_text, "low": low, "high": high, "only": only, "humans": humans}
    return field(default=default, metadata=declared | {"idle": idle, "choices": choices})


OWN = -1.0
"""Of a ratio as an option: the source's own, which is its neutral."""


def _control(name: str) -> Any:
    """Declare a control of an edit as an option, from its declaration."""
    control = BY_NAME[name]
    unit = "" if control.unit == "-" else f", {control.unit}"
    neutral, low, own = control.neutral, control.low, ""
    if neutral is None:
        neutral, low, own = OWN, OWN, f"; {OWN:g}: the source's own"
    only = None if control.preview else LIVEPORTRAIT
    return _option(
        float(neutral), f"edit: {control.text}{unit}{own}", low, control.high, only, True, effects.MOTIONLESS
    )


def _weight(what: str) -> Any:
    """Declare how much of the driving's motion a region takes."""
    text = f"how much of the driving's motion reaches {what}; 0: the source's, 1: the driving's"
    return _option(1.0, text, 0.0, 1.5, LIVEPORTRAIT, True, _DRIVEN_MOTION)


def _limit(moves: str) -> Any:
    """Declare the most that the driving turns the head about one axis."""
    text = f"most degrees that the driving {moves} the head from the source's own pose, softly; 180: no limit"
    return _option(180.0, text, 1.0, 180.0, None, True, _DRIVEN_MOTION)


def _formats() -> tuple[str, ...]:
    return AUTO, *FORMATS.names()


_DRIVING_CROP = (*effects.OF_A_TEMPLATE, *effects.UNCROPPED)
_MOTION = (*effects.PERFORMED, *effects.MOTIONLESS)
_DRIVEN_MOTION = (*effects.REPLACED, *_MOTION)


@dataclass(frozen=True)
class PairOptions:
    """How one pair is animated and written."""

    paste_back: bool = _option(True, "put the animated face back into the whole source picture")
    flag_do_crop: bool = _option(True, "crop the source around its face; false: it is a crop already")
    flag_do_rot: bool = _option(
        True, "turn the source crop so that the face stands upright", idle=(*effects.CROPPED, *effects.UPRIGHT)
    )
    source_max_dim: int = _option(1280, "longest side of the source, pixels; larger ones shrink", 64, 8192)
    source_division: int = _option(2, "sides of the source are trimmed to multiples of it", 1, 64)
    crop_scale: float = _option(
        2.3, "side of the source crop over the extent of the face", 1.0, 5.0, idle=effects.CROPPED
    )
    crop_vx: float = _option(
        0.0, "move of the source crop to the face's right, of its side", -1.0, 1.0, idle=effects.CROPPED
    )
    crop_vy: float = _option(-0.125, "move of the source crop down, of its side", -1.0, 1.0, idle=effects.CROPPED)
    flag_crop_driving_video: bool = _option(
        False,
        "crop square drivings too; one that is not square always is",
        only=LIVEPORTRAIT,
        idle=(*effects.OF_A_TEMPLATE, *effects.NOT_SQUARE),
    )
    driving_crop_scale: float = _option(
        2.2, "side of the driving crop over the face", 1.0, 5.0, only=LIVEPORTRAIT, idle=_DRIVING_CROP
    )
    driving_crop_vx: float = _option(
        0.0, "move of the driving crop to the right", -1.0, 1.0, only=LIVEPORTRAIT, idle=_DRIVING_CROP
    )
    driving_crop_vy: float = _option(
        -0.1, "move of the driving crop down", -1.0, 1.0, only=LIVEPORTRAIT, idle=_DRIVING_CROP
    )
    driving_multiplier: float = _option(1.0, "strength of the driving motion", 0.0, 4.0)
    animation_region: Region = _option(
        "all", "what the driving moves", only=LIVEPORTRAIT, humans=True, idle=_DRIVEN_MOTION
    )
    driving_option: Literal["expression-friendly", "pose-friendly"] = _option(
        "expression-friendly",
        "rescale the motion to the source's size (animals always do)",
        only=LIVEPORTRAIT,
        humans=True,
        idle=(*_DRIVEN_MOTION, *effects.ABSOLUTE, *effects.OF_A_VIDEO, *effects.BY_ONE_FRAME),
    )
    driving_smooth_observation_variance: float = _option(
        3e-7,
        "smoothing of a source video's motion, larger is smoother",
        1e-12,
        1.0,
        only=LIVEPORTRAIT,
        humans=True,
        idle=(*effects.OF_A_PICTURE, *effects.BY_ONE_FRAME, *_DRIVEN_MOTION),
    )
    flag_relative_motion: bool = _option(
        True,
        "motion relative to the driving's reference frame",
        only=LIVEPORTRAIT,
        humans=True,
        idle=_MOTION,
    )
    flag_stitching: bool = _option(True, "keep the shoulders in place", only=LIVEPORTRAIT, idle=effects.MOTIONLESS)
    flag_eye_retargeting: bool = _option(
        False,
        "drive the eyes by their opening (relative mode drops the rest)",
        only=LIVEPORTRAIT,
        humans=True,
        idle=_MOTION,
    )
    flag_lip_retargeting: bool = _option(
        False,
        "drive the lips by their opening (relative mode drops the rest)",
        only=LIVEPORTRAIT,
        humans=True,
        idle=_MOTION,
    )
    flag_source_video_eye_retargeting: bool = _option(
        False,
        "hold a source video's eyes as open as in its first frame",
        only=LIVEPORTRAIT,
        humans=True,
        idle=(*effects.OF_A_PICTURE, *effects.RETARGETED, *_MOTION),
    )
    flag_normalize_lip: bool = _option(
        False,
        "close the source's lips before it moves",
        only=LIVEPORTRAIT,
        humans=True,
        idle=(*effects.ABSOLUTE, *effects.RETARGETED, *_MOTION),
    )
    driving_reference: str = _option(
        FIRST,
        "frame that motion is measured from: first, neutral or its number",
        idle=(*effects.ABSOLUTE, *_DRIVEN_MOTION, *effects.ONLY_ONE_FRAME),
    )
    driving_smooth: float = _option(
        0.0,
        "smoothing of a driving's motion for a source picture (variance: 1e-5 two frames, 1e-3 ten); 0: off",
        0.0,
        1.0,
        only=LIVEPORTRAIT,
        humans=True,
        idle=(*effects.OF_A_VIDEO, *effects.BY_ONE_FRAME, *_MOTION),
    )
    weight_pose: float = _weight("turn, place and size of the head")
    weight_eyes: float = _weight("the eyes")
    weight_lip: float = _weight("the lips")
    weight_exp: float = _weight("all other expression")
    max_pitch: float = _limit("nods")
    max_yaw: float = _limit("turns")
    max_roll: float = _limit("leans")
    edit: str = _option(
        "", "a named edit, such as smile, or FILE.yaml:NAME; controls that are given go before its values"
    )
    head_pitch: float = _control("head_pitch")
    head_yaw: float = _control("head_yaw")
    head_roll: float = _control("head_roll")
    head_x: float = _control("head_x")
    head_y: float = _control("head_y")
    head_z: float = _control("head_z")
    pout: float = _control("pout")
    purse: float = _control("purse")
    grin: float = _control("grin")
    lips_open: float = _control("lips_open")
    smile: float = _control("smile")
    wink: float = _control("wink")
    brow: float = _control("brow")
    gaze_x: float = _control("gaze_x")
    gaze_y: float = _control("gaze_y")
    eye_ratio: float = _control("eye_ratio")
    lip_ratio: float = _control("lip_ratio")
    blink: float = _control("blink")
    lip_smooth: float = _option(
        3e-6,
        "smoothing of a source video's lips under lip_ratio, larger is smoother; 0: each frame by itself",
        0.0,
        1.0,
        LIVEPORTRAIT,
        True,
        (*effects.OF_A_PICTURE, *effects.OWN_LIPS, *effects.MOTIONLESS),
    )
    silence: bool = _option(
        False,
        "lay a source video's face at rest, but for its eyes",
        only=LIVEPORTRAIT,
        humans=True,
        idle=(*effects.OF_A_PICTURE, *effects.DRIVEN, *effects.MOTIONLESS),
    )
    source_start_s: float = _option(
        0.0,
        "animate a source video from this second on; what is before stays as it is",
        0.0,
        1e6,
        idle=effects.OF_A_PICTURE,
    )
    source_end_s: float = _option(
        0.0,
        "animate a source video up to this second; what is after stays as it is; 0: to its end",
        0.0,
        1e6,
        idle=effects.OF_A_PICTURE,
    )
    driving_length: Literal["min", "loop", "ping-pong", "hold"] = _option(
        "min",
        "what a driving shorter than a source video does",
        idle=(*effects.LENGTHLESS, *effects.BY_ONE_FRAME),
    )
    audio: Literal["driving", "source", "none"] = _option(
        "driving", "whose sound comes first; none: no sound", idle=effects.SOUNDLESS
    )
    audio_track: int = _option(
        -1,
        "which sound track of a file that has several, from 0; -1: the one that a player takes",
        -1,
        63,
        idle=effects.TRACKLESS,
    )
    format: str = _option(
        AUTO, "auto: mp4 (webm if alpha is kept), or a PNG for a picture driven by a picture", choices=_formats
    )
    alpha: Literal["white", "keep"] = _option(
        "white", "of a transparent source: lay it over white, or keep its transparency (webm, mov, frames, png)"
    )
    comparison: bool = _option(False, "also write driving, source and result side by side")
    encoder: Literal["x264", "nvenc"] = _option("x264", "nvenc: on a GPU that has it", idle=effects.NOT_ON_A_GPU)
    crf: int = _option(18, "quality, lower is better (nvenc: cq)", 0, 51, idle=effects.NOT_ENCODED)
    preset: Preset = _option("veryfast", "x264 effort", idle=effects.NOT_ENCODED)


DEFAULTS: dict[str, Any] = {option.name: option.default for option in fields(PairOptions)}
"""Option -> its default."""


def changed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a row of the results that differ from their defaults."""
    return {name: value for name, value in values.items() if value != DEFAULTS.get(name)}


def edits_of(options: PairOptions) -> Edits:
    """Return the controls that a pair edits, as `lp_ray.contract.edits.make_edits` does: empty for a neutral edit."""
    given = {control.name: getattr(options, control.name) for control in CONTROLS}
    return {c.name: given[c.name] for c in CONTROLS if given[c.name] != (OWN if c.neutral is None else c.neutral)}


def is_part(options: PairOptions) -> bool:
    """Return whether only a part of a source video is animated."""
    return bool(options.source_start_s or options.source_end_s)


def option_names() -> tuple[str, ...]:
    """Return the names of all options of a pair, in declared order."""
    return tuple(f.name for f in fields(PairOptions))
