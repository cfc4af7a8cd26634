"""A performance as a motion template: the values of its controls, frame by frame, for every engine.

The arrays are `control_<name>`, n x 1. A template of a performance belongs to no engine: each shows it in its own way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import TemplateError
from lp_ray.contract.edits import BY_NAME, CONTROLS, Edits
from lp_ray.motion.performance import Performance
from lp_ray.motion.rates import Indices
from lp_ray.motion.template import MotionFrames, TemplateHeader, TemplateReader

Controls = dict[str, NDArray[np.float64] | float]
"""Control -> its curve over n frames, or its value for all of them, for those that are not neutral."""

ENGINE = "performance"
"""What the header of such a template names in an engine's place."""

ASKED = "controls"
"""An engine's fact: what controls ask of each frame."""
PREFIX = "control_"
VERSION = 1
"""Raise this whenever the same table would give other values: it is in the keys of performances."""


def is_performed(template: TemplateReader) -> bool:
    """Return whether a template holds a performance."""
    return template.header.engine == ENGINE


def header_of(performance: Performance, n_frames: int) -> TemplateHeader:
    """Return the header of a template of `n_frames` frames of a performance."""
    fps = performance.fps
    return TemplateHeader(ENGINE, str(VERSION), "", fps.numerator, fps.denominator, n_frames)


def frames_of(performance: Performance, start: int, stop: int) -> MotionFrames:
    """Return frames [start, stop) of a performance, as a template holds them."""
    sampled = performance.sample(start, stop)
    return {PREFIX + name: np.asarray(curve[:, None], np.float32) for name, curve in sampled.items()}


def checked(frames: MotionFrames) -> MotionFrames:
    """Return frames of a template that says it holds a performance. Raises TemplateError if it holds anything else."""
    for name, rows in frames.items():
        control = BY_NAME.get(name.removeprefix(PREFIX))
        if not name.startswith(PREFIX) or control is None or rows.ndim != 2 or rows.shape[1] != 1:
            raise TemplateError(
                f"a performance's template holds no {name} of {rows.shape}: make it again from its table"
            )
        if not ((rows >= np.float32(control.low)) & (rows <= np.float32(control.high))).all():
            raise TemplateError(f"{name}: values must be numbers between {control.low:g} and {control.high:g}")
    return frames


def controls_of(template: TemplateReader) -> tuple[str, ...]:
    """Return the controls that a performance's template has curves of."""
    return tuple(name for name in BY_NAME if PREFIX + name in template.names)


def curves_at(template: TemplateReader, frames: Indices) -> dict[str, NDArray[np.float64]]:
    """Return the values of each control at some frames of a performance's template: name -> n values.

    Of a still, what is neutral is left out, so that a neutral still is no edit.
    """
    first, last = int(frames.min()), int(frames.max())
    names = [PREFIX + name for name in controls_of(template)]
    rows = template.read(first, last + 1, names)
    curves = {name.removeprefix(PREFIX): array[frames - first, 0].astype(np.float64) for name, array in rows.items()}
    if len(template) > 1:
        return curves
    return {name: curve for name, curve in curves.items() if curve[0] != BY_NAME[name].neutral}


def combined(curves: Mapping[str, NDArray[np.float64]], edits: Edits) -> Controls:
    """Return a performance's curves with an edit on top, in the table's order.

    Values of a control add up, factors multiply, and of a ratio the edit's is taken; each stays in its control's range.
    """
    whole: dict[str, NDArray[np.float64] | float] = dict(curves)
    for name, value in edits.items():
        control = BY_NAME[name]
        if name not in curves or control.neutral is None:
            whole[name] = value
        else:
            both = curves[name] * value if control.neutral else curves[name] + value
            whole[name] = np.clip(both, control.low, control.high)
    return {name: whole[name] for name in BY_NAME if name in whole}


def asked(controls: Controls, n_frames: int) -> dict[str, NDArray[np.float32]]:
    """Return what controls ask of n frames as an engine's fact: `controls`, n x 18, columns in the table's order.

    A ratio that is the source's own is NaN. There is no such fact without any control.
    """
    return {ASKED: _rows(controls, n_frames)} if controls else {}


def of_faces(faces: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return the facts of n frames of several faces as one: faces x n x …

    A face that no control asks anything of has neutral ones, where another's are asked for.
    """
    asking = next((face[ASKED] for face in faces if ASKED in face), None)
    neutral = {} if asking is None else {ASKED: _rows({}, len(asking))}
    each = [{**neutral, **face} for face in faces]
    return {name: np.stack([face[name] for face in each]) for name in each[0]}


def _rows(controls: Controls, n_frames: int) -> NDArray[np.float32]:
    rows = np.empty((n_frames, len(CONTROLS)), np.float32)
    for column, control in enumerate(CONTROLS):
        rows[:, column] = controls.get(control.name, np.nan if control.neutral is None else control.neutral)
    return rows
