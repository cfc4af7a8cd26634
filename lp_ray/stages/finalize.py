"""Finalize: staged pieces become one template or one video with its row. Plain functions, safe to run again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from lp_ray import storage
from lp_ray.base import metrics
from lp_ray.base.errors import RefusedError
from lp_ray.base.limits import OURS
from lp_ray.contract.failure import Failure
from lp_ray.contract.media_kinds import is_template
from lp_ray.contract.result_schema import DONE
from lp_ray.media.clip import open_footage
from lp_ray.media.facts import MediaFacts, still_facts
from lp_ray.media.frames_zip import join_frames
from lp_ray.media.gif import make_gif
from lp_ray.media.join import AudioCut, join_segments
from lp_ray.media.repeat import Repeat
from lp_ray.motion.rates import Length, resampled_length
from lp_ray.motion.template import MotionFrames, TemplateHeader, unpack_part, write_template
from lp_ray.output.layout import SUFFIXES, OutputLayout, TemplateLayout
from lp_ray.output.lease import check_holder
from lp_ray.output.results import FRAMES, GIF, IMAGE, VIDEO, ResultRow, read_row, write_row
from lp_ray.plan.settings import Settings
from lp_ray.plan.work import PairWork
from lp_ray.stages.rows import ClipFacts

STAGE = "finalize"

DRIVING, SOURCE = "driving", "source"


def finalize_template(
    settings: Settings, engine: str, digests: tuple[str, str], key: str, facts: ClipFacts
) -> Failure | None:
    """Join the staged motion of a clip into its template file; the first of two equal writers wins.

    `digests` are the engine's and the landmarker's. Returns why not, if it cannot be; the staging of the key is gone
    afterwards.
    """
    layout = settings.template_layout
    failure = None
    try:
        if not storage.exists(layout.template(key)):
            _join_template(layout, key, facts, engine, digests)
    except RefusedError:
        raise
    except Exception as error:  # one clip's trouble is its own
        if not storage.exists(layout.template(key)):  # else another job was first
            failure = Failure.of(STAGE, error)
    storage.delete_prefix(layout.staged(key))
    return failure


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
    )
    with TemporaryDirectory(prefix="lp_ray-template-") as folder:
        path = Path(folder) / "template.npz"
        write_template(path, header, _parts(layout, key, facts.n_chunks))
        storage.put_if_absent(layout.template(key), path)


def _parts(layout: TemplateLayout, key: str, n_parts: int) -> Iterator[MotionFrames]:
    for index in range(n_parts):
        yield unpack_part(storage.read_bytes(layout.part(key, index)))


def finalize_pair(settings: Settings, work: PairWork, row: ResultRow) -> ResultRow | Failure:
    """Join a pair's staged segments, add the sound, put the result, then its row, then drop the staging.

    `row` holds what is known already; the answer adds what the finished file says of itself. The staging of a pair
    that failed is left, for this task may be tried again. Raises LeaseLostError.
    """
    started = time.perf_counter()
    layout = settings.output_layout
    written = read_row(layout, work.pair_id)
    if written is not None:  # this task died after its row: only the staging was left to drop
        storage.delete_prefix(layout.staged(work.pair_id))
        return written
    try:
        with TemporaryDirectory(prefix="lp_ray-join-") as folder:
            finished = _join(settings, layout, work, Path(folder))
    except RefusedError:
        raise
    except Exception as error:  # one pair's trouble is its own
        return Failure.of(STAGE, error)
    row = {**row, **finished, "status": DONE, "finished_at": datetime.now(UTC)}
    seconds = time.perf_counter() - started
    metrics.stage_worked(STAGE, seconds)
    row["seconds"] = {**row["seconds"], "finalize": seconds}
    write_row(layout, row)
    storage.delete_prefix(layout.staged(work.pair_id))
    return row


@contextmanager
def _sound(settings: Settings, work: PairWork) -> Iterator[AudioCut | None]:
    """Give the sound of whom the options name first, or of the other where that one has none."""
    order = {"driving": (DRIVING, SOURCE), "source": (SOURCE, DRIVING), "none": ()}[work.options["audio"]]
    with ExitStack() as stack:
        for whose in order:
            cut = stack.enter_context(_sound_of(settings, work, whose))
            if cut is not None:
                yield cut
                return
        yield None


@contextmanager
def _sound_of(settings: Settings, work: PairWork, whose: str) -> Iterator[AudioCut | None]:
    driving, source = work.driving, work.source
    if is_template(driving.uri) if whose == DRIVING else not source.is_video:
        yield None
        return
    uri, version = (driving.uri, driving.version) if whose == DRIVING else (source.uri, source.version)
    cut = (driving.start_s, driving.end_s) if whose == DRIVING else (None, None)
    with storage.local_copy(uri, settings.limits, version) as path:
        clip = open_footage(path, settings.limits, *cut)
        duration_s = float(clip.n_frames / clip.fps)
        repeat = _repeat(work, Length(clip.n_frames, clip.fps)) if whose == DRIVING else None
        yield AudioCut(path, cut[0] or 0.0, duration_s, repeat) if clip.has_audio else None


def _repeat(work: PairWork, driving: Length) -> Repeat | None:
    """Return how a driving's sound goes again: as its pictures do beside a longer source video."""
    policy = work.options["driving_length"]
    if not work.source.is_video or driving.n_frames == 1 or policy not in ("loop", "ping-pong"):
        return None
    return Repeat(resampled_length(driving, work.fps), back=policy == "ping-pong")


def _join(settings: Settings, layout: OutputLayout, work: PairWork, folder: Path) -> ResultRow:
    indices = range(work.n_chunks)
    segments = _fetch(folder, [layout.segment(work.pair_id, index, work.kind) for index in indices])
    output = folder / f"result{SUFFIXES[work.kind]}"
    facts = _JOINERS[work.kind](settings, work, segments, output)
    check_holder(layout.lease, settings.run)  # nothing becomes visible for a job that was taken for dead
    uri = layout.result(work.pair_id, work.kind)
    compared = None
    if work.options["comparison"]:
        compared = layout.comparison(work.pair_id, work.kind)
        parts = [layout.compared_segment(work.pair_id, index, work.kind) for index in indices]
        _join_comparison(settings, work, _fetch(folder, parts), folder / "comparison.mp4", compared)
    storage.put_file(output, uri)
    return {
        "video_uri": uri,
        "kind": work.kind,
        "comparison_uri": compared,
        "n_frames": facts.n_frames,
        "fps": facts.fps and {"numerator": facts.fps.numerator, "denominator": facts.fps.denominator},
        "width": facts.width,
        "height": facts.height,
        "duration_s": facts.duration_s,
        "has_audio": facts.has_audio,
        "bytes": facts.bytes,
        "sha256": facts.sha256,
    }


def _fetch(folder: Path, uris: list[str]) -> list[Path]:
    paths = [folder / uri.rpartition("/")[2] for uri in uris]
    for uri, path in zip(uris, paths, strict=True):
        storage.fetch(uri, path, OURS)
    return paths


def _join_video(settings: Settings, work: PairWork, segments: list[Path], output: Path) -> MediaFacts:
    with _sound(settings, work) as sound:
        return join_segments(segments, output, work.fps, work.n_frames, sound)


def _join_gif(settings: Settings, work: PairWork, segments: list[Path], output: Path) -> MediaFacts:
    video = output.with_suffix(".mp4")
    join_segments(segments, video, work.fps, work.n_frames)
    return make_gif(video, output, work.fps)


def _join_frames(settings: Settings, work: PairWork, segments: list[Path], output: Path) -> MediaFacts:
    return join_frames(segments, output, work.n_frames, work.fps)


def _take_image(settings: Settings, work: PairWork, segments: list[Path], output: Path) -> MediaFacts:
    segments[0].rename(output)
    return still_facts(output)


_JOINERS: dict[str, Callable[[Settings, PairWork, list[Path], Path], MediaFacts]] = {
    VIDEO: _join_video,
    GIF: _join_gif,
    FRAMES: _join_frames,
    IMAGE: _take_image,
}


def _join_comparison(settings: Settings, work: PairWork, segments: list[Path], output: Path, uri: str) -> None:
    """A comparison is a video with the pair's sound, also where the result is a GIF or an archive of frames."""
    if work.kind == IMAGE:
        storage.put_file(segments[0], uri)
        return
    _join_video(settings, work, segments, output)
    storage.put_file(output, uri)
