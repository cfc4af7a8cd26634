"""Options of a pair: one field each, with its default, its range and its meaning.

The job's configuration gives a value for all pairs; a column of the same name in the pairs manifest overrides
it for one row. Every option is part of the pair's key.
"""

from __future__ import annotations

import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, Literal

from lp_ray.errors import RefusedError
from lp_ray.motion.reference import parse_reference

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"]

Region = Literal["all", "exp", "pose", "lip", "eyes"]

LIVEPORTRAIT = "liveportrait"


def _option(
    default: Any, help_text: str, low: float | None = None, high: float | None = None, only: str | None = None
) -> Any:
    """Declare an option; `only` names the one engine that has it."""
    return field(default=default, metadata={"help": help_text, "low": low, "high": high, "only": only})


@dataclass(frozen=True)
class PairOptions:
    """How one pair is animated and written."""

    paste_back: bool = _option(True, "put the animated face back into the whole source picture")
    source_max_dim: int = _option(1280, "longest side of the source, pixels; larger ones shrink", 64, 8192)
    crop_scale: float = _option(2.3, "side of the source crop over the extent of the face", 1.0, 5.0)
    driving_multiplier: float = _option(1.0, "strength of the driving motion", 0.0, 4.0)
    animation_region: Region = _option("all", "what the driving moves", only=LIVEPORTRAIT)
    driving_option: Literal["expression-friendly", "pose-friendly"] = _option(
        "expression-friendly", "rescale the motion to the source's size (changes animals only)", only=LIVEPORTRAIT
    )
    flag_relative_motion: bool = _option(True, "motion relative to the driving's reference frame", only=LIVEPORTRAIT)
    flag_stitching: bool = _option(True, "keep the shoulders in place", only=LIVEPORTRAIT)
    flag_eye_retargeting: bool = _option(
        False, "drive the eyes by their opening (relative mode drops the rest of the motion)", only=LIVEPORTRAIT
    )
    flag_lip_retargeting: bool = _option(
        False, "drive the lips by their opening (relative mode drops the rest of the motion)", only=LIVEPORTRAIT
    )
    flag_normalize_lip: bool = _option(False, "close the source's lips before it moves", only=LIVEPORTRAIT)
    driving_reference: str = _option(
        "first", "frame that relative motion is measured from: first, neutral or its number", only=LIVEPORTRAIT
    )
    audio: Literal["driving", "none"] = _option("driving", "where the sound comes from")
    crf: int = _option(18, "x264 quality, lower is better", 0, 51)
    preset: Preset = _option("veryfast", "x264 effort")


def option_names() -> tuple[str, ...]:
    """Names of all per-pair options, in the order of their declaration."""
    return tuple(f.name for f in fields(PairOptions))


def make_options(values: Mapping[str, Any], where: str) -> PairOptions:
    """Build checked options from loose values (configuration or a manifest row).

    `where` says whose values these are ("options", "pairs row 7") and opens every message. None keeps the
    default. Raises RefusedError for an unknown name, a wrong kind or a value out of range.
    """
    known = {f.name: f for f in fields(PairOptions)}
    hints = typing.get_type_hints(PairOptions)
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise RefusedError(f"{where}: unknown option {name!r}{nearest(name, known)}")
        if value is not None:
            checked[name] = _check(known[name], hints[name], value, where)
    options = PairOptions(**checked)
    try:
        parse_reference(options.driving_reference)
    except RefusedError as error:
        raise RefusedError(f"{where}: {error}") from error
    return options


def check_engine(options: PairOptions, engine: str, where: str) -> None:
    """Raise RefusedError for an option that is set although the engine does not have it."""
    for option in fields(PairOptions):
        only, value = option.metadata["only"], getattr(options, option.name)
        if only not in (None, engine) and value != option.default:
            raise RefusedError(f"{where}: {option.name}={value!r} has no effect with engine={engine}; it needs {only}")


def override(base: PairOptions, values: Mapping[str, Any], where: str) -> PairOptions:
    """Return `base` with the given values in place; None keeps what `base` has. Raises RefusedError."""
    given = {name: value for name, value in values.items() if value is not None}
    return make_options({**asdict(base), **given}, where)


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _check(option: Field[Any], kind: Any, value: Any, where: str) -> Any:
    if typing.get_origin(kind) is Literal:
        allowed = typing.get_args(kind)
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
    return kind(value)
