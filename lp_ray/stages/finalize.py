"""Finalize: staged pieces become one template or one video with its row. Plain functions, safe to run again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from lp_ray import storage
from lp_ray.errors import RefusedError
from lp_ray.layout import OutputLayout, TemplateLayout
from lp_ray.limits import OURS
from lp_ray.manifest import DONE
from lp_ray.media.clip import open_clip
from lp_ray.media.join import AudioCut, join_segments
from lp_ray.motion.template import MotionFrames, TemplateHeader, unpack_part, write_template
from lp_ray.results import ResultRow, read_row, write_row
from lp_ray.settings import Settings
from lp_ray.stages.imported import is_template_file
from lp_ray.stages.rows import ClipFacts, Failure, PairWork

STAGE = "finalize"


def finalize_template(
    settings: Settings, engine: str, digests: tuple[str, str], key: str, facts: ClipFacts
) -> Failure | None:
    """Join the staged motion of a clip into its template file; the first of two equal writers wins.

    `digests` are the engine's and the landmarker's. Returns why not, if it cannot be; the staging of the key is gone
    afterwards.
    """
    layout = TemplateLayout(settings.templates)
    failure = None
    try:
        if not storage.exists(layout.template(key)):
            _join_template(layout, key, facts, engine, digests)
    except RefusedError:
        raise
    except Exception as error:  # one clip's trouble is its own
        if not storage.exists(layout.template(key)):  # else another job was first, and took the staging along
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
    )
    with TemporaryDirectory(prefix="lp_ray-template-") as folder:
        path = Path(folder) / "template.npz"
        write_template(path, header, _parts(layout, key, facts.n_chunks))
        storage.put_if_absent(layout.template(key), path)


def _parts(layout: TemplateLayout, key: str, n_parts: int) -> Iterator[MotionFrames]:
    for index in range(n_parts):
        yield unpack_part(storage.read_bytes(layout.part(key, index)))


def finalize_pair(settings: Settings, work: PairWork, row: ResultRow) -> ResultRow | Failure:
    """Join a pair's staged segments, add the sound, put the video, then its row, then drop the staging.

    `row` holds what is known already; the answer adds what the finished file says of itself.
    """
    started = time.perf_counter()
    layout = OutputLayout(settings.output)
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
        storage.delete_prefix(layout.staged(work.pair_id))
        return Failure.of(STAGE, error)
    row = {**row, **finished, "status": DONE, "finished_at": datetime.now(UTC)}
    row["seconds"] = {**row["seconds"], "finalize": time.perf_counter() - started}
    write_row(layout, row)
    storage.delete_prefix(layout.staged(work.pair_id))
    return row


@contextmanager
def _sound(settings: Settings, work: PairWork) -> Iterator[AudioCut | None]:
    """Give the driving's sound where it is wanted and there is some."""
    driving = work.driving
    if work.options["audio"] != "driving" or is_template_file(driving.uri):
        yield None
        return
    with storage.local_copy(driving.uri, settings.limits) as path:
        clip = open_clip(path, settings.limits, driving.start_s, driving.end_s)
        yield AudioCut(path, driving.start_s or 0.0) if clip.has_audio else None


def _join(settings: Settings, layout: OutputLayout, work: PairWork, folder: Path) -> ResultRow:
    segments = []
    for index in range(work.n_chunks):
        segments.append(folder / f"{index:07d}.mp4")
        storage.fetch(layout.segment(work.pair_id, index), segments[-1], OURS)
    video = folder / "video.mp4"
    with _sound(settings, work) as sound:
        facts = join_segments(segments, video, work.fps, work.n_frames, sound)
    uri = layout.video(work.pair_id)
    storage.put_file(video, uri)
    return {
        "video_uri": uri,
        "n_frames": facts.n_frames,
        "fps": {"numerator": facts.fps.numerator, "denominator": facts.fps.denominator},
        "width": facts.width,
        "height": facts.height,
        "duration_s": facts.duration_s,
        "has_audio": facts.has_audio,
        "bytes": facts.bytes,
        "sha256": facts.sha256,
    }
