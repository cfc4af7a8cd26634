"""Segments to one finished video: no picture is coded again, the driving's sound is added in sync."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from lp_ray.base.errors import EngineOutputError
from lp_ray.media import ffmpeg
from lp_ray.media.facts import VideoFacts, video_facts
from lp_ray.media.soundtrack import SoundArgs, open_soundtrack

_TIMEOUT_S = 3600.0
_AUDIO_RATE = "128k"


@dataclass(frozen=True)
class AudioCut:
    """Sound of a video from `start_s` on, counted from its first picture.

    `duration_s` None: for as long as the joined pictures last. `track` is the place of the sound track among the
    file's sound tracks, from 0 (see `VideoInfo.audio_tracks`); None: the one that the file flags as default, which
    a player would take, else the first.
    """

    path: Path
    start_s: float = 0.0
    duration_s: float | None = None
    track: int | None = None


def join_segments(
    paths: Sequence[Path],
    output: Path,
    fps: Fraction,
    n_frames: int,
    audio: AudioCut | None = None,
) -> VideoFacts:
    """Join segments of one size and rate, in order, into an mp4 with its index in front; return its facts.

    `n_frames` is how many frames they must hold together. `audio` becomes AAC; a driving without sound gives
    a video without sound. Raises InputError if ffmpeg fails, UnsupportedError for a sound track that is not there
    and EngineOutputError if the frame count or the rate of the written file is not the one expected; no file is left
    then.
    """
    if not paths:
        raise ValueError("no segments to join")
    try:
        with tempfile.TemporaryDirectory(prefix="lp_ray-join-") as folder:
            sound = _sound_args(audio, float(n_frames / fps))
            args = [*_picture_args(paths, Path(folder)), *sound.opened, "-map", "0:v:0", *sound.taken]
            args += ["-c:v", "copy", "-movflags", "+faststart", "-f", "mp4", "-y", ffmpeg.file_url(output)]
            ffmpeg.run([*args, *sound.beside], _TIMEOUT_S, f"joining {output.name}")
        facts = video_facts(output)
        if (facts.n_frames, facts.fps) != (n_frames, fps):
            raise EngineOutputError(
                f"{output.name}: the joined video has {facts.n_frames} frames at {facts.fps}, "
                f"not {n_frames} at {fps}; its segments are damaged"
            )
    except BaseException:
        output.unlink(missing_ok=True)
        raise
    return facts


def _picture_args(paths: Sequence[Path], folder: Path) -> list[str]:
    # Links of plain names: the concat script then needs no quoting, whatever the segments are called.
    script = folder / "segments.txt"
    for i, path in enumerate(paths):
        (folder / f"{i:06d}.mp4").symlink_to(path.absolute())
    script.write_text("".join(f"file {i:06d}.mp4\n" for i in range(len(paths))))
    safe = ["-protocol_whitelist", "file,pipe", "-format_whitelist", "concat,mov"]
    return [*safe, "-f", "concat", "-safe", "1", "-i", str(script)]


def _sound_args(audio: AudioCut | None, pictures_s: float) -> SoundArgs:
    if audio is None:
        return SoundArgs([], [], [])
    duration_s = min(pictures_s, audio.duration_s or pictures_s)
    sound = open_soundtrack(audio.path).cut(audio.start_s, duration_s, audio.track)
    return replace(sound, taken=[*sound.taken, "-c:a", "aac", "-b:a", _AUDIO_RATE])
