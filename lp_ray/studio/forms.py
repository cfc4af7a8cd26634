"""Fields of the page, derived from where an option or a control is declared: label, range, choices, explanation."""

from __future__ import annotations

import typing
from dataclasses import Field, fields
from typing import Any, get_args, get_type_hints

import gradio as gr

from lp_ray.contract.edits import CONTROLS, Control
from lp_ray.contract.options import DEFAULTS, OWN, PairOptions

_EDITS = {control.name for control in CONTROLS}
_HINTS = get_type_hints(PairOptions)

GROUPS: dict[str, tuple[str, ...]] = {
    "Result": ("format", "alpha", "crf", "preset", "encoder", "audio", "audio_track", "comparison", "paste_back"),
    "Crop": (
        *("flag_do_crop", "flag_do_rot", "source_max_dim", "source_division", "crop_scale", "crop_vx", "crop_vy"),
        *("flag_crop_driving_video", "driving_crop_scale", "driving_crop_vx", "driving_crop_vy"),
    ),
}
"""Heading -> options; all others are motion."""
MOTION = "Motion"


def options_of(engine: str, variant: str) -> dict[str, list[Field[Any]]]:
    """Return the options that an engine has, by heading; edits are not among them: `edit` may name a file."""
    grouped: dict[str, list[Field[Any]]] = {MOTION: [], **{heading: [] for heading in GROUPS}}
    for option in fields(PairOptions):
        lacks = option.metadata["only"] not in (None, engine) or (variant == "animal" and option.metadata["humans"])
        if option.name in _EDITS or option.name == "edit" or lacks:
            continue
        heading = next((heading for heading, names in GROUPS.items() if option.name in names), MOTION)
        grouped[heading].append(option)
    return {heading: found for heading, found in grouped.items() if found}


def controls_of(engine: str) -> list[Control]:
    """Return the controls of an edit that an engine has."""
    return [control for control in CONTROLS if control.preview or engine != "preview"]


def option_field(option: Field[Any]) -> gr.components.Component:
    """Return the field of an option of pairs."""
    kind, low, high = _HINTS[option.name], option.metadata["low"], option.metadata["high"]
    default: Any = option.default
    about = {"label": option.name, "info": option.metadata["help"]}
    if typing.get_origin(kind) is typing.Literal or option.metadata["choices"]:
        choices = option.metadata["choices"]() if option.metadata["choices"] else get_args(kind)
        return gr.Dropdown(list(choices), value=default, **about)
    if kind is bool:
        return gr.Checkbox(default, **about)
    if kind is str:
        return gr.Textbox(default, max_lines=1, **about)
    bounded = low is not None and high is not None and high - low <= 100 and high - low >= 0.1
    if bounded:
        step = 1 if kind is int else 0.01
        return gr.Slider(low, high, value=default, step=step, **about)
    return gr.Number(default, precision=0 if kind is int else None, **about)


def control_field(control: Control) -> gr.Slider:
    """Return the slider of a control. A ratio's lowest value, -1, is the source's own."""
    ratio = control.neutral is None
    low, neutral = (OWN, OWN) if ratio else (control.low, control.neutral)
    unit = "" if control.unit == "-" else f", {control.unit}"
    text = f"{control.text}{unit}" + (f"; {OWN:g}: the source's own" if ratio else "")
    step = 1 if control.high - control.low >= 20 else 0.01
    return gr.Slider(low, control.high, value=neutral, step=step, label=control.name, info=text, buttons=["reset"])


def given(names: list[str], values: tuple[Any, ...]) -> dict[str, Any]:
    """Return what differs from the defaults, by name. Whole floats of sliders become whole numbers where they must."""
    found = {}
    for name, value in zip(names, values, strict=True):
        if value is None or value == DEFAULTS[name]:
            continue
        found[name] = int(value) if _HINTS[name] is int else value
    # A ratio between -1 and 0 is where a slider happens to stand: the source's own.
    return {name: value for name, value in found.items() if not (name in _RATIOS and value < 0)}


_RATIOS = {control.name for control in CONTROLS if control.neutral is None}
