"""Import drivings that are motion already: LivePortrait's `.pkl` files, our `.npz` files, and performances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from lp_ray import storage
from lp_ray.base.errors import TemplateError, UnsupportedError
from lp_ray.base.limits import Limits
from lp_ray.contract.media_kinds import NO_DRIVING, is_performance, suffix_of
from lp_ray.media.sound_files import check_sound
from lp_ray.media.timing import cut
from lp_ray.motion import performed
from lp_ray.motion.performance import Keys, Performance
from lp_ray.motion.performance_io import read_performance
from lp_ray.motion.pickle_io import import_pickle
from lp_ray.motion.template import MotionFrames, TemplateHeader, TemplateReader, write_template
from lp_ray.output.layout import TemplateLayout
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import ClipRef
from lp_ray.stages.contract import Task

PART_FRAMES = 256
"""Number of frames copied at a time, so that a long template is never whole in memory."""


def import_template(settings: Settings, key: str, driving: ClipRef) -> None:
    """Read a template file safely and store it in the template store under `key`.

    Raises InputError, and UnsupportedError for another engine's motion.
    """
    with (
        nullcontext()
        if driving.uri == NO_DRIVING
        else storage.local_copy(driving.uri, settings.limits, driving.version) as path,
        TemporaryDirectory(prefix="lp_ray-t-") as folder,
    ):
        if driving.sound:  # before any frame is made for it
            with storage.local_copy(driving.sound, settings.limits, driving.sound_version) as sound:
                check_sound(sound, settings.limits, storage.display(driving.sound))
        header, parts = _read(path, driving, settings.limits) if path else neutral()
        if header.engine not in (settings.engine.name, performed.ENGINE):
            raise UnsupportedError(
                f"this template holds the motion of engine={header.engine}, which engine={settings.engine.name} "
                f"cannot use: give the clip itself, or engine={header.engine}"
            )
        file = Path(folder) / "template.npz"
        write_template(file, header, parts)
        if path:
            storage.check_version(driving.uri, driving.version)
        storage.put_if_absent(TemplateLayout(settings.templates).template(key), file)


IMPORT_TEMPLATE = Task("template", import_template)


def neutral() -> tuple[TemplateHeader, Iterator[MotionFrames]]:
    """Return the motion of a source that is only edited: one frame in which every control is neutral."""
    still = Performance.of_keys(Fraction(25), {"blink": Keys(np.zeros(1), np.zeros(1))})
    return performed.header_of(still, 1), iter([performed.frames_of(still, 0, 1)])


def _read(path: Path, driving: ClipRef, limits: Limits) -> tuple[TemplateHeader, Iterator[MotionFrames]]:
    """Return the header of the cut, and its motion in pieces."""
    if suffix_of(driving.uri) == ".pkl":
        header, frames = import_pickle(path.read_bytes(), limits)
        first, header = _cut(header, driving)
        whole = {name: array[first : first + header.n_frames] for name, array in frames.items()}
        return header, iter([whole])
    if is_performance(driving.uri):
        return _performance(read_performance(path.read_bytes(), limits), driving)
    reader = TemplateReader(path)
    if reader.header.n_frames > limits.max_frames:
        raise TemplateError(f"{reader.header.n_frames} frames of motion, limits.max_frames is {limits.max_frames}")
    first, header = _cut(reader.header, driving)
    pieces = _pieces(reader, first, first + header.n_frames)
    return header, map(performed.checked, pieces) if header.engine == performed.ENGINE else pieces


def _performance(performance: Performance, driving: ClipRef) -> tuple[TemplateHeader, Iterator[MotionFrames]]:
    first, n_frames = cut(performance.fps, len(performance), driving.start_s, driving.end_s)
    if n_frames < 1:
        raise TemplateError(f"start_s and end_s leave none of the performance's {len(performance)} frames")
    pieces = (
        performed.frames_of(performance, start, min(start + PART_FRAMES, first + n_frames))
        for start in range(first, first + n_frames, PART_FRAMES)
    )
    return performed.header_of(performance, n_frames), pieces


def _cut(header: TemplateHeader, driving: ClipRef) -> tuple[int, TemplateHeader]:
    first, n_frames = cut(header.fps, header.n_frames, driving.start_s, driving.end_s)
    if n_frames < 1:
        raise TemplateError(f"start_s and end_s leave none of the template's {header.n_frames} frames")
    missing = tuple(i - first for i in header.missing_frames if first <= i < first + n_frames)
    return first, replace(header, n_frames=n_frames, missing_frames=missing)


def _pieces(reader: TemplateReader, first: int, stop: int) -> Iterator[MotionFrames]:
    for start in range(first, stop, PART_FRAMES):
        piece = reader.read(start, min(start + PART_FRAMES, stop))
        for name, rows in piece.items():
            if not np.isfinite(rows).all():
                raise TemplateError(f"{name} holds values that are not finite")
        yield piece
