"""Finalize tasks: join staged pieces into a template, or into a video with its row. Plain functions, safe to repeat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lp_ray import storage
from lp_ray.base.device import Device
from lp_ray.base.errors import InputError
from lp_ray.base.limits import OURS
from lp_ray.contract.formats import FORMATS
from lp_ray.contract.measuring import SOURCE_FACE
from lp_ray.contract.media_kinds import is_template
from lp_ray.contract.options import LIVEPORTRAIT
from lp_ray.contract.origin import digital_source_type
from lp_ray.contract.result_schema import DONE
from lp_ray.media.clip import open_footage
from lp_ray.media.formats.protocol import OutputFormat
from lp_ray.media.join import AudioCut
from lp_ray.media.repeat import Repeat
from lp_ray.motion.rates import Length, resampled_length
from lp_ray.motion.template import MotionFrames, TemplateHeader, unpack_part, write_template
from lp_ray.output.layout import OutputLayout, TemplateLayout
from lp_ray.output.lease import check_holder
from lp_ray.output.results import ResultRow, read_row, write_row
from lp_ray.output.sidecars.protocol import SIDECARS
from lp_ray.plan.devices import Part
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork
from lp_ray.stages.contract import Task
from lp_ray.stages.measuring.pair import Finished, labels_file, measure_pair
from lp_ray.stages.media import template_header
from lp_ray.stages.rows import ClipFacts
from lp_ray.stages.signing import signed

DRIVING, SOURCE = "driving", "source"


def finalize_template(settings: Settings, engine: str, digests: tuple[str, str], key: str, facts: ClipFacts) -> None:
    """Join the staged motion of a clip into its template file. If two jobs write the same template, the first one wins.

    `digests` are those of the engine and the landmarker. Afterwards the staging of the key is removed.
    """
    layout = settings.template_layout
    try:
        if not storage.exists(layout.template(key)):
            _join_template(layout, key, facts, engine, digests)
    except InputError:
        if not storage.exists(layout.template(key)):  # else another job wrote it first
            storage.delete_prefix(layout.staged(key))
            raise
    storage.delete_prefix(layout.staged(key))


def _join_template(layout: TemplateLayout, key: str, facts: ClipFacts, engine: str, digests: tuple[str, str]) -> None:
    header = TemplateHeader(
        engine=engine,
        engine_digest=digests[0],
        landmarker_digest=digests[1],
        fps_numerator=facts.fps_numerator,
        fps_denominator=facts.fps_denominator,
        n_frames=facts.n_frames,
        missing_frames=facts.missing_frames,
        size=facts.size,
        crop=facts.crop,
        n_faces=facts.n_faces,
    )
    with TemporaryDirectory(prefix="lp_ray-template-") as folder:
        path = Path(folder) / "template.npz"
        write_template(path, header, _parts(layout, key, facts.n_chunks))
        storage.put_if_absent(layout.template(key), path)


def _parts(layout: TemplateLayout, key: str, n_parts: int) -> Iterator[MotionFrames]:
    for index in range(n_parts):
        yield unpack_part(storage.read_bytes(layout.part(key, index)))


def finalize_pair(settings: Settings, work: PairWork, row: ResultRow, elapsed: Callable[[], float]) -> ResultRow:
    """Join a pair's staged segments, add the sound, write the result, then its row, then remove the staging.

    `row` holds the columns known so far. The returned row adds the facts of the finished file and the seconds that
    `elapsed` returns. If the task fails, the staging stays, because the task may run again. Raises LeaseLostError.
    """
    layout = settings.output_layout
    written = read_row(layout, work.pair_id)
    if written is not None:  # an earlier attempt died after writing the row: only the staging is left
        storage.delete_prefix(layout.staged(work.pair_id))
        return written
    with TemporaryDirectory(prefix="lp_ray-join-") as folder:
        finished, measuring_s = _join(settings, layout, work, Path(folder), elapsed)
    if row.get("source_subject_id"):  # the manifest says who it is: what would tell it by the face is not kept
        finished.pop(SOURCE_FACE, None)
    row = {**row, **finished, "status": DONE, "finished_at": datetime.now(UTC)}
    row["seconds"] = {**row["seconds"], **measuring_s, "finalize": elapsed()}
    write_row(layout, row)
    storage.delete_prefix(layout.staged(work.pair_id))
    return row


FINALIZE_TEMPLATE = Task("finalize", finalize_template)
FINALIZE_PAIR = Task("finalize", finalize_pair, timed=True)

_MEASURING_SHARE = {"fast": 0.4, "full": 0.5}
"""Part of the CPUs for tasks that measure, by the higher level: 20 and 40 ms a frame (`python -m benchmarks.labels`)
beside the preview engine's 20, or beside an engine on a GPU."""

_SHARE_BESIDE_NETWORKS = 0.1
"""The same beside an engine whose networks run on the CPUs, which takes a hundred times as long."""


def finalize_task(settings: Settings) -> Task:
    """Return the task that finishes the pairs of a job. It reserves CPUs if it decodes and measures videos."""
    measuring = settings.measuring
    if not measuring.reads_videos:
        return FINALIZE_PAIR
    measures = replace(FINALIZE_PAIR, uses=frozenset({Part.METRICS}))
    if settings.engine.name == LIVEPORTRAIT and not Device(settings.engine.device).is_gpu:
        return replace(measures, share=_SHARE_BESIDE_NETWORKS)
    level = "full" if "full" in (measuring.labels, measuring.metrics) else "fast"
    return replace(measures, share=_MEASURING_SHARE[level])


@contextmanager
def _sound(settings: Settings, work: PairWork) -> Iterator[AudioCut | None]:
    """Yield the sound of a driving or the source, in the order that the options give: the first that has any."""
    drivings = [(DRIVING, work.of_role(place)) for place in range(len(work.drivings))]
    order = {"driving": [*drivings, (SOURCE, work)], "source": [(SOURCE, work), *drivings], "none": []}
    whose = order[work.options.audio]
    if work.part is not None:  # what stays as it is keeps its sound
        whose = whose and [(SOURCE, work)]
    with ExitStack() as stack:
        for role, of in whose:
            cut = stack.enter_context(_sound_of(settings, of, role))
            if cut is not None:
                yield cut
                return
        yield None


@contextmanager
def _sound_of(settings: Settings, work: PairWork, whose: str) -> Iterator[AudioCut | None]:
    """`work` is of one role (`PairWork.of_role`): its driving is the one that is meant."""
    is_driving = whose == DRIVING
    ref = work.driving if is_driving else work.source
    if is_driving and work.driving.sound:
        with _sound_beside(settings, work) as beside:
            yield beside
        return
    if is_template(ref.uri) if is_driving else not work.source.is_video:
        yield None
        return
    cut = (work.driving.start_s, work.driving.end_s) if is_driving else (None, None)
    with storage.local_copy(ref.uri, settings.limits, ref.version) as path:
        clip = open_footage(path, settings.limits, *cut)
        duration_s = float(clip.n_frames / clip.fps)
        repeat = _repeat(work, Length(clip.n_frames, clip.fps)) if is_driving else None
        track = work.options.audio_track
        yield (
            AudioCut(path, cut[0] or 0.0, duration_s, repeat, None if track < 0 else track) if clip.has_audio else None
        )


@contextmanager
def _sound_beside(settings: Settings, work: PairWork) -> Iterator[AudioCut]:
    """Yield the sound that lies beside a performance, for as long as the performance lasts."""
    driving, track = work.driving, work.options.audio_track
    header = template_header(settings.template_layout.template(work.template_key))
    length = Length(header.n_frames, header.fps)
    with storage.local_copy(driving.sound, settings.limits, driving.sound_version) as path:
        duration_s = float(length.n_frames / length.fps)
        chosen = None if track < 0 else track
        yield AudioCut(path, driving.start_s or 0.0, duration_s, _repeat(work, length), chosen, alone=True)


def _repeat(work: PairWork, driving: Length) -> Repeat | None:
    """Return how to repeat a driving's sound: as its pictures are repeated for a longer source video; None if not at
    all."""
    policy = work.options.driving_length
    if not (work.source.is_video or work.roles) or driving.n_frames == 1 or policy not in ("loop", "ping-pong"):
        return None
    return Repeat(resampled_length(driving, work.fps), back=policy == "ping-pong")


def _join(
    settings: Settings, layout: OutputLayout, work: PairWork, folder: Path, elapsed: Callable[[], float]
) -> tuple[ResultRow, dict[str, float]]:
    """Make the result's files. Return the columns that describe them, and the seconds that measuring took, if any."""
    indices, made = range(work.n_chunks), FORMATS.get(work.format)
    segments = _fetch(folder, [layout.segment(work.pair_id, index, made.segment_suffix) for index in indices])
    output = folder / f"result{made.suffix}"
    with _sound(settings, work) if made.has_sound else nullcontext() as sound:
        facts = made.join(segments, output, work.fps, work.n_frames, sound, **_origin(settings, work, made))
    facts, claim = signed(settings, work, output, facts)
    sidecars = {f"{name}_uri": _join_sidecar(layout, work, name, folder) for name in settings.sidecars}
    before = elapsed()
    measured = measure_pair(settings, layout, work, Finished(output, facts, folder))
    measuring_s = {"measure": elapsed() - before} if measured else {}
    check_holder(layout.lease, settings.run)  # a job that lost its lease must not make results visible
    compared = _join_comparison(settings, layout, work, folder) if work.options.comparison else None
    if settings.measuring.labels != "none":
        measured["labels_uri"] = layout.labels_of(work.pair_id)
        storage.put_file(labels_file(folder), measured["labels_uri"])
    uri = layout.result(work.pair_id, made.suffix)
    storage.put_file(output, uri)
    row = {
        "video_uri": uri,
        "kind": made.kind,
        "digital_source_type": _origin(settings, work, made).get("origin"),
        "credentials": claim and json.dumps(claim, sort_keys=True),
        "comparison_uri": compared,
        "n_frames": facts.n_frames,
        "fps": facts.fps and {"numerator": facts.fps.numerator, "denominator": facts.fps.denominator},
        "width": facts.width,
        "height": facts.height,
        "duration_s": facts.duration_s,
        "has_audio": facts.has_audio,
        "bytes": facts.bytes,
        "sha256": facts.sha256,
        **sidecars,
        **measured,
    }
    return row, measuring_s


def _origin(settings: Settings, work: PairWork, made: OutputFormat) -> dict[str, Any]:
    """Return the argument that says what the result is, for formats whose files can say it."""
    if not getattr(made, "states_origin", False):  # plugins need not have the attribute
        return {}
    return {"origin": digital_source_type(settings.engine.name, work.options.paste_back)}


def _join_comparison(settings: Settings, layout: OutputLayout, work: PairWork, folder: Path) -> str:
    """Write the comparison: a still if the result is a still, else a video with the pair's sound."""
    shown = FORMATS.get(work.comparison_format)
    parts = [layout.compared_segment(work.pair_id, index, shown.segment_suffix) for index in range(work.n_chunks)]
    output, uri = folder / f"comparison{shown.suffix}", layout.comparison(work.pair_id, shown.suffix)
    with _sound(settings, work) if shown.has_sound else nullcontext() as sound:
        shown.join(_fetch(folder, parts), output, work.fps, work.n_frames, sound, **_origin(settings, work, shown))
    storage.put_file(output, uri)
    return uri


def _join_sidecar(layout: OutputLayout, work: PairWork, name: str, folder: Path) -> str:
    sidecar = SIDECARS.get(name)
    shown = work.animated
    indices = range(shown.start // work.chunk, -(-shown.stop // work.chunk))
    parts = [layout.sidecar_part(name, work.pair_id, index, sidecar.suffix) for index in indices]
    output, uri = folder / f"{name}{sidecar.suffix}", layout.sidecar(name, work.pair_id, sidecar.suffix)
    sidecar.join(_fetch(folder, parts), output, len(shown), work.fps)
    storage.put_file(output, uri)
    return uri


def _fetch(folder: Path, uris: list[str]) -> list[Path]:
    paths = [folder / uri.rpartition("/")[2] for uri in uris]
    for uri, path in zip(uris, paths, strict=True):
        storage.fetch(uri, path, OURS)
    return paths
