"""Segments to one finished video: no picture is coded again, the driving's sound is added in sync."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lp_ray.base.errors import EngineOutputError, InputError, UnreadableMediaError
from lp_ray.media import ffmpeg, sniff
from lp_ray.media.facts import VideoFacts, video_facts
from lp_ray.media.repeat import RAW, SAMPLE_RATE, Repeat, repeat_sound, samples_needed

_TIMEOUT_S = 3600.0
_AUDIO_RATE = "128k"
_SEEKABLE = {"mov", "matroska"}  # with an index that says where the sound is; others are read from the start
_SEEK_EARLY_S = 5.0


@dataclass(frozen=True)
class AudioCut:
    """Sound of a video from `start_s` on, counted from its first picture.

    `duration_s` None: for as long as the joined pictures last. With `repeat` it goes again as the pictures do; there
    must be sound then.
    """

    path: Path
    start_s: float = 0.0
    duration_s: float | None = None
    repeat: Repeat | None = None


def join_segments(
    paths: Sequence[Path],
    output: Path,
    fps: Fraction,
    n_frames: int,
    audio: AudioCut | None = None,
) -> VideoFacts:
    """Join segments of one size and rate, in order, into an mp4 with its index in front; return its facts.

    `n_frames` is how many frames they must hold together. `audio` becomes AAC; a driving without sound gives
    a video without sound. Raises InputError if ffmpeg fails and EngineOutputError
    if the frame count or the rate of the written file is not the one expected; no file is left then.
    """
    if not paths:
        raise ValueError("no segments to join")
    try:
        with tempfile.TemporaryDirectory(prefix="lp_ray-join-") as folder:
            args = [*_picture_args(paths, Path(folder)), *_sound_args(audio, n_frames, fps, Path(folder))]
            args += ["-c:v", "copy", "-movflags", "+faststart", "-f", "mp4", "-y", ffmpeg.file_url(output)]
            ffmpeg.run(args, _TIMEOUT_S, f"joining {output.name}")
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


def _sound_args(audio: AudioCut | None, n_frames: int, fps: Fraction, folder: Path) -> list[str]:
    if audio is None:
        return ["-map", "0:v:0"]
    coded = ["-map", "0:v:0", "-map", "1:a:0?", "-c:a", "aac", "-b:a", _AUDIO_RATE]
    if audio.repeat is not None and audio.repeat.frames < n_frames:
        again = _repeated(audio, audio.repeat, n_frames, fps, folder)
        return [*ffmpeg.input_args(again, "s16le", *RAW), *coded]
    opened, filters = _cut_args(audio, float(n_frames / fps))
    return ["-copyts", *opened, "-af", filters, *coded]


def _repeated(audio: AudioCut, repeat: Repeat, n_frames: int, fps: Fraction, folder: Path) -> Path:
    """Write the sound of all passes to a file of `media.repeat`'s format."""
    once, again = folder / "once.s16", folder / "again.s16"
    opened, filters = _cut_args(audio, float(repeat.frames / fps))
    n = samples_needed(repeat.frames, fps)
    whole = f"{filters},aresample={SAMPLE_RATE},apad=whole_len={n},atrim=end_sample={n}"
    args = ["-copyts", *opened, "-map", "0:a:0", "-af", whole, *RAW, "-y", ffmpeg.file_url(once)]
    ffmpeg.run(args, _TIMEOUT_S, f"reading the sound of {audio.path.name}")
    repeat_sound(once, again, repeat, n_frames, fps)
    return again


def _cut_args(audio: AudioCut, pictures_s: float) -> tuple[list[str], str]:
    """Return what opens a file for its sound, and the filters that cut it to its place beside the pictures."""
    demuxer = sniff.sniff_demuxer(sniff.read_head(audio.path))
    if demuxer is None:
        raise UnreadableMediaError(f"{audio.path.name}: not a video file, so there is no sound to take from it")
    duration_s = min(pictures_s, audio.duration_s or pictures_s)
    start_s = _first_picture_s(audio.path, demuxer) + audio.start_s
    seek: list[str] = []
    if demuxer in _SEEKABLE and start_s > 2 * _SEEK_EARLY_S:
        seek = ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{start_s - _SEEK_EARLY_S:.6f}"]
    # Cut by the file's own clock (-copyts): without it ffmpeg moves the sound of some containers to 0. Sound that
    # begins after the picture is led in by silence, so that it keeps its place.
    cut = f"atrim=start={start_s:.6f}:duration={duration_s:.6f},asetpts=PTS-({start_s:.6f})/TB"
    return ffmpeg.input_args(audio.path, demuxer, *seek, "-vn"), f"{cut},aresample=async=1:first_pts=0"


def _first_picture_s(path: Path, demuxer: str) -> float:
    """Time of the first picture that is shown, on the file's clock, on which its sound is placed too.

    It is decoded, because packets before it may be hidden by an edit list; but AVI has no presentation times,
    and its first packet stands for its first picture.
    """
    how = ["-vf", "scale=16:16", "-c:v", "rawvideo", "-fps_mode", "passthrough", "-enc_time_base", "demux"]
    if demuxer == "avi":
        how = ["-c", "copy"]
    args = [*ffmpeg.input_args(path, demuxer, "-copyts"), "-map", "0:V:0", "-frames:v", "1", *how]
    with ffmpeg.Child([*args, "-f", "framecrc", "pipe:1"]) as child:
        lines = list(child.lines(_TIMEOUT_S))
    base = [line.split(":")[1] for line in lines if line.startswith("#tb 0:")]
    rows = [line for line in lines if line.startswith("0,")]
    if not base or not rows:
        raise InputError(f"{path.name}: holds no picture to place its sound by")
    return float(int(rows[0].split(",")[1]) * Fraction(base[0].strip()))
