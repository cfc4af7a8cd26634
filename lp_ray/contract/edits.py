"""The controls that edit a face by hand, declared once: name, range, unit, neutral value, meaning.

An edit gives values for some controls. All others stay neutral, and the neutral edit changes nothing. The names on the
reference's page work too (ALIASES). Checks, docs and sliders are derived from this table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lp_ray.base.errors import RefusedError
from lp_ray.base.names import nearest

Edits = Mapping[str, float]
"""Control -> value, for the controls that are not neutral, in the order of the table."""


@dataclass(frozen=True)
class Control:
    """One control. `neutral` is None for a ratio, whose neutral is the source's own; `reference` is the name on the
    reference's page (None: not there); `preview` says whether the preview engine has it too."""

    name: str
    low: float
    high: float
    neutral: float | None
    unit: str
    text: str
    reference: str | None
    preview: bool


_OWN = None
_NONE = "-"

CONTROLS: tuple[Control, ...] = (
    Control("head_pitch", -15, 15, 0, "degrees", "nod: turn the head up or down", "head_pitch", True),
    Control("head_yaw", -25, 25, 0, "degrees", "turn the head to a side", "head_yaw", True),
    Control("head_roll", -15, 15, 0, "degrees", "lean the head to a shoulder", "head_roll", True),
    Control("head_x", -0.19, 0.19, 0, _NONE, "move the face sideways", "mov_x", True),
    Control("head_y", -0.19, 0.19, 0, _NONE, "move the face up or down", "mov_y", True),
    Control("head_z", 0.9, 1.2, 1, "factor", "bring the face nearer", "mov_z", True),
    Control("pout", -0.09, 0.09, 0, _NONE, "pout", "lip_variation_zero", False),
    Control("purse", -20, 15, 0, _NONE, "purse the lips", "lip_variation_one", False),
    Control("grin", 0, 15, 0, _NONE, "draw the lips into a grin", "lip_variation_two", False),
    Control("lips_open", -90, 120, 0, _NONE, "close (negative) or open the lips", "lip_variation_three", True),
    Control("smile", -0.3, 1.3, 0, _NONE, "smile, or the opposite", "smile", True),
    Control("wink", 0, 39, 0, _NONE, "close one eye", "wink", True),
    Control("brow", -30, 30, 0, _NONE, "raise or lower the brows", "eyebrow", True),
    Control(
        "gaze_x",
        -30,
        30,
        0,
        _NONE,
        "look to the right of the picture (positive) or to its left",
        "eyeball_direction_x",
        True,
    ),
    Control("gaze_y", -63, 63, 0, _NONE, "look up (positive) or down", "eyeball_direction_y", True),
    Control("eye_ratio", 0, 0.8, _OWN, "ratio", "how open the eyes are: height over width", "eye_ratio", False),
    Control("lip_ratio", 0, 0.8, _OWN, "ratio", "how open the lips are: height over width", "lip_ratio", False),
    Control("blink", 0, 1, 0, "share", "close both eyes, from as they are (0) to shut (1)", None, True),
)

BY_NAME = {control.name: control for control in CONTROLS}

HEAD = frozenset(control.name for control in CONTROLS if control.name.startswith("head_"))
"""Controls that move the head as a whole and change nothing in the face."""

ALIASES = {c.reference: c.name for c in CONTROLS if c.reference not in (None, c.name)}
"""The reference's name -> our name, where they differ."""


def make_edits(values: Mapping[str, Any], where: str) -> Edits:
    """Return checked edits from loose values (a manifest row, a preset, a front end).

    `where` says whose values these are; every message begins with it. None and neutral values are left out. Raises
    RefusedError for an unknown control, a control named twice, a value that is not a number, or one that is out of
    range.
    """
    found: dict[str, float] = {}
    for given, value in values.items():
        name = ALIASES.get(given, given)
        if name not in BY_NAME:
            raise RefusedError(f"{where}: no control {given!r}{nearest(given, [*BY_NAME, *ALIASES])}")
        if name in found:
            raise RefusedError(f"{where}: {name} and {given} are one control; give one of them")
        if value is not None:
            found[name] = check_value(BY_NAME[name], value, where)
    return {c.name: found[c.name] for c in CONTROLS if c.name in found and found[c.name] != c.neutral}


def check_value(control: Control, value: Any, where: str) -> float:
    """Return one value as a float. Raises RefusedError if it is not a number or is out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RefusedError(f"{where}: {control.name}={value!r} must be a number")
    if not control.low <= value <= control.high:
        raise RefusedError(f"{where}: {control.name}={value!r} must be between {control.low:g} and {control.high:g}")
    return float(value)


def check_preview(edits: Edits, where: str) -> None:
    """Raise RefusedError for controls that the preview engine does not have."""
    lacking = [name for name in edits if not BY_NAME[name].preview]
    if lacking:
        raise RefusedError(f"{where}: engine=preview has no {', '.join(lacking)}; leave it out, or use liveportrait")


def markdown() -> str:
    """Return the table of controls for docs/editing.md."""
    lines = [
        "| control | reference | range | neutral | unit | what it does | preview |",
        "|---|---|---|---|---|---|---|",
    ]
    for c in CONTROLS:
        neutral = "the source's own" if c.neutral is None else f"{c.neutral:g}"
        cells = (
            c.reference or "-",
            f"{c.low:g} to {c.high:g}",
            neutral,
            c.unit,
            c.text,
            "✓" if c.preview else "refused",
        )
        lines.append(f"| `{c.name}` | {' | '.join(cells)} |")
    return "\n".join(lines)
