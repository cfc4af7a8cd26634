"""The options of a pair: one field each, with its default, range and meaning.

The job's configuration gives a value for all pairs; a column of the same name in the pairs manifest overrides it for
one row. Every option that has an effect in its pair enters the pair's key; `idle` in its declaration says when it has
none. If the reference's command line has another name for an option, that name works too (ALIASES).
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any, Literal, cast

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest
from lp_ray.contract import effects
from lp_ray.contract.driving_reference import FIRST, canonical_reference
from lp_ray.contract.edits import ALIASES as EDIT_ALIASES
from lp_ray.contract.edits import BY_NAME, CONTROLS, Edits
from lp_ray.contract.effects import Idle
from lp_ray.contract.face_rules import ALL_FACES
from lp_ray.contract.formats import AUTO, FORMATS
from lp_ray.contract.presets import preset

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"]
Region = Literal["all", "exp", "pose", "lip", "eyes"]

LIVEPORTRAIT = "liveportrait"

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
    driving_length: Literal["min", "loop", "ping-pong", "hold"] = _option(
        "min",
        "what a driving shorter than a source video does",
        humans=True,
        idle=(*effects.OF_A_PICTURE, *effects.BY_ONE_FRAME),
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
    format: str = _option(AUTO, "auto: mp4, or a PNG for a picture driven by a picture", choices=_formats)
    comparison: bool = _option(False, "also write driving, source and result side by side")
    encoder: Literal["x264", "nvenc"] = _option("x264", "nvenc: on a GPU that has it", idle=effects.NOT_ENCODED)
    crf: int = _option(18, "quality, lower is better (nvenc: cq)", 0, 51, idle=effects.NOT_ENCODED)
    preset: Preset = _option("veryfast", "x264 effort", idle=effects.NOT_ENCODED)


def _with_preset(options: PairOptions, given: Collection[str], where: str) -> PairOptions:
    """Return options in which a named edit has become the values of its controls, but for those that are `given`."""
    if not options.edit:
        return options
    values = {name: value for name, value in preset(options.edit, where).items() if name not in given}
    return replace(options, edit="", **cast(dict[str, Any], values))


def edits_of(options: PairOptions) -> Edits:
    """Return the controls that a pair edits, as `lp_ray.contract.edits.make_edits` does: empty for a neutral edit."""
    given = {control.name: getattr(options, control.name) for control in CONTROLS}
    return {c.name: given[c.name] for c in CONTROLS if given[c.name] != (OWN if c.neutral is None else c.neutral)}


def option_names() -> tuple[str, ...]:
    """Return the names of all options of a pair, in declared order."""
    return tuple(f.name for f in fields(PairOptions))


def make_options(values: Mapping[str, Any], where: str) -> PairOptions:
    """Build checked options from loose values (configuration or a manifest row), in their canonical form.

    `where` says whose values these are ("options", "pairs row 7"); every message begins with it. None keeps the
    default. Raises RefusedError for an unknown name, a wrong type or a value out of range.
    """
    known = {f.name: f for f in fields(PairOptions)}
    hints = typing.get_type_hints(PairOptions)
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise RefusedError(f"{where}: unknown option {name!r}{nearest(name, known)}")
        if value is not None:
            checked[name] = _check(known[name], hints[name], value, where)
            if name in BY_NAME and BY_NAME[name].neutral is None and OWN < checked[name] < BY_NAME[name].low:
                raise RefusedError(f"{where}: {name}={value!r} must be {OWN:g} (the source's own), or 0 and more")
    options = _with_preset(PairOptions(**checked), checked, where)
    try:
        return replace(options, driving_reference=canonical_reference(options.driving_reference))
    except RefusedError as error:
        raise RefusedError(f"{where}: {error}") from error


def check_options(options: PairOptions, engine: str, variant: str, where: str) -> None:
    """Raise RefusedError for options that would have no effect with this engine, or that exclude each other."""
    for option in fields(PairOptions):
        value, only = getattr(options, option.name), option.metadata["only"]
        if value == option.default:
            continue
        if only not in (None, engine):
            raise RefusedError(f"{where}: {option.name}={value!r} has no effect with engine={engine}; it needs {only}")
        if variant == "animal" and option.metadata["humans"]:
            raise RefusedError(f"{where}: {option.name}={value!r} has no effect on animals; leave it out")
    if variant == "animal":
        _check_animals(options, where)
    if options.paste_back and not (options.flag_stitching and options.flag_do_crop):
        lacking = "flag_stitching" if options.flag_do_crop else "flag_do_crop"
        raise RefusedError(f"{where}: paste_back needs {lacking}=true: set paste_back=false for the crop alone")


def _check_animals(options: PairOptions, where: str) -> None:
    """Raise RefusedError for options that have no effect on animals, alone or without another option."""
    if options.audio == "source":
        raise RefusedError(
            f"{where}: audio='source' has no effect on animals, whose sources are pictures; leave it out"
        )
    placing = ("driving_crop_scale", "driving_crop_vx", "driving_crop_vy")
    for option in (option for option in fields(PairOptions) if option.name in placing):
        value = getattr(options, option.name)
        if value != option.default and not options.flag_crop_driving_video:
            raise RefusedError(
                f"{where}: {option.name}={value!r} has no effect on animals, whose drivings are taken whole, without "
                "flag_crop_driving_video=true"
            )


def check_faces(face: str, options: PairOptions, where: str) -> None:
    """Raise RefusedError for `face: all` without paste-back, because there is no picture to put the faces back into."""
    if face == ALL_FACES and not options.paste_back:
        raise RefusedError(f"{where}: face={ALL_FACES!r} needs paste_back=true: each face goes back into the picture")


def override(base: PairOptions, values: Mapping[str, Any], where: str) -> PairOptions:
    """Return `base` with the given values replaced; None keeps the value of `base`. Raises RefusedError.

    A named edit takes the place of all controls of `base`.
    """
    given = {name: value for name, value in values.items() if value is not None}
    kept = {name: value for name, value in asdict(base).items() if not (given.get("edit") and name in BY_NAME)}
    return make_options({**kept, **given}, where)


def _check(option: Field[Any], kind: Any, value: Any, where: str) -> Any:
    if typing.get_origin(kind) is Literal or option.metadata["choices"]:
        allowed = option.metadata["choices"]() if option.metadata["choices"] else typing.get_args(kind)
        if value not in allowed:
            raise RefusedError(f"{where}: {option.name}={value!r} must be one of {', '.join(allowed)}")
        return value
    if isinstance(kind, types.UnionType):  # pragma: no cover - guards the declarations above
        raise TypeError(f"option {option.name} may not be a union")
    number = kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool)
    if not ((isinstance(value, kind) and (kind is bool or not isinstance(value, bool))) or number):
        raise RefusedError(f"{where}: {option.name}={value!r} must be {kind.__name__}")
    if kind is int and not (math.isfinite(value) and value == int(value)):
        raise RefusedError(f"{where}: {option.name}={value!r} must be a whole number")
    low, high = option.metadata["low"], option.metadata["high"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        raise RefusedError(f"{where}: {option.name}={value!r} must be between {low} and {high}")
    return kind(value) + 0 if number else kind(value)  # + 0 turns -0.0 into 0.0
