"""Join segments into one finished video without encoding pictures again, and add the sound in sync."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from lp_ray.base.errors import EngineOutputError, UnreadableMediaError
from lp_ray.contract.origin import SCHEME
from lp_ray.media import ffmpeg
from lp_ray.media.facts import VideoFacts, video_facts
from lp_ray.media.repeat import RAW, SAMPLE_RATE, Repeat, repeat_sound, samples_needed
from lp_ray.media.sound_files import open_sound
from lp_ray.media.soundtrack import SoundCut, open_soundtrack

_TIMEOUT_S = 3600.0
_AUDIO_RATE = "128k"


@dataclass(frozen=True)
class Container:
    """A kind of file that segments are joined in: ffmpeg's muxer, the suffix of a segment, the demuxers that may read
    one, and how sound is coded."""

    muxer: str
    suffix: str
    demuxers: str
    sound: tuple[str, ...]
    on_ticks: bool = True
    """Whether a segment's clock can hold any rate exactly. Matroska's counts milliseconds: its frames are placed anew
    by their numbers, so that no rounding adds up over segments, and the rate is the one that was asked for."""


MP4 = Container("mp4", ".mp4", "mov", ("-c:a", "aac", "-b:a", _AUDIO_RATE))
MOV = Container("mov", ".mov", "mov", ("-c:a", "aac", "-b:a", _AUDIO_RATE))
WEBM = Container("webm", ".webm", "matroska,webm", ("-c:a", "libopus", "-b:a", _AUDIO_RATE), on_ticks=False)


@dataclass(frozen=True)
class AudioCut:
    """The sound of a video from `start_s` on, counted from its first picture.

    `duration_s` None: as long as the joined pictures. With `repeat`, the sound is repeated as the pictures are; the
    file must have sound then. `track` is the place of the sound track among the file's sound tracks, from 0 (see
    `VideoInfo.audio_tracks`). None: the default track of the file, which a player would take, else the first. `alone`:
    the file is a sound file, and its time counts from its beginning.
    """

    path: Path
    start_s: float = 0.0
    duration_s: float | None = None
    repeat: Repeat | None = None
    track: int | None = None
    alone: bool = False


def join_segments(
    paths: Sequence[Path],
    output: Path,
    fps: Fraction,
    n_frames: int,
    audio: AudioCut | None = None,
    origin: str | None = None,
    container: Container = MP4,
) -> VideoFacts:
    """Join segments of one size and rate, in order, into a file with its index in front; return its facts.

    `origin` is the digital source type that the file's metadata state (`lp_ray.contract.origin`).

    `n_frames` is how many frames they must have together. `audio` is encoded as the container asks; a file without
    sound gives a video without sound. Raises InputError if ffmpeg fails, UnsupportedError if the sound track does not
    exist, and EngineOutputError if the written file has another frame count or rate than expected. No file is left
    then.
    """
    if not paths:
        raise ValueError("no segments to join")
    try:
        with tempfile.TemporaryDirectory(prefix="lp_ray-join-") as folder:
            opened, taken, beside = _sound_args(audio, n_frames, fps, Path(folder), container)
            args = [*_picture_args(paths, Path(folder), container), *opened, "-map", "0:v:0", *taken, "-c:v", "copy"]
            args += [*_muxed(container, fps, origin), "-y", ffmpeg.file_url(output), *beside]
            ffmpeg.run(args, _TIMEOUT_S, f"joining {output.name}")
        facts = video_facts(output)
        if not container.on_ticks and round(facts.duration_s * fps) == n_frames:
            facts = replace(facts, fps=fps, duration_s=float(n_frames / fps))
        if (facts.n_frames, facts.fps) != (n_frames, fps):
            raise EngineOutputError(
                f"{output.name}: the joined video has {facts.n_frames} frames at {facts.fps}, "
                f"not {n_frames} at {fps}; its segments are damaged"
            )
    except BaseException:
        output.unlink(missing_ok=True)
        raise
    return facts


def _muxed(container: Container, fps: Fraction, origin: str | None) -> list[str]:
    """Return arguments that put the index in front, and say that the video is synthetic and what it is."""
    said = {"DigitalSourceType": f"{SCHEME}{origin}", "comment": "Synthetic media, made with lp_ray"} if origin else {}
    pairs = [word for key, value in said.items() for word in ("-metadata", f"{key}={value}")]
    if container.on_ticks:
        return ["-movflags", "+faststart+use_metadata_tags" if said else "+faststart", *pairs, "-f", container.muxer]
    placed = f"setts=ts=N*{fps.denominator}/{fps.numerator}/TB"
    # Without bitexact, tracks have random numbers. Segments hold one picture a packet, in order.
    return ["-bsf:v", placed, "-fflags", "+bitexact", "-cues_to_front", "1", *pairs, "-f", container.muxer]


def _picture_args(paths: Sequence[Path], folder: Path, container: Container) -> list[str]:
    # Links with plain names, so that the concat script needs no quoting.
    script = folder / "segments.txt"
    for i, path in enumerate(paths):
        (folder / f"{i:06d}{container.suffix}").symlink_to(path.absolute())
    script.write_text("".join(f"file {i:06d}{container.suffix}\n" for i in range(len(paths))))
    safe = ["-protocol_whitelist", "file,pipe", "-format_whitelist", f"concat,{container.demuxers}"]
    return [*safe, "-f", "concat", "-safe", "1", "-i", str(script)]


def _sound_args(
    audio: AudioCut | None, n_frames: int, fps: Fraction, folder: Path, container: Container
) -> tuple[list[str], list[str], list[str]]:
    """Return arguments that open the sound as the second input, that select it, and that follow the output."""
    if audio is None:
        return [], [], []
    coded = container.sound
    if audio.repeat is not None and audio.repeat.frames < n_frames:
        again = _repeated(audio, audio.repeat, n_frames, fps, folder)
        return ffmpeg.input_args(again, "s16le", *RAW), ["-map", "1:a:0", *coded], []
    cut = _cut(audio, float(n_frames / fps))
    if cut is None:
        return [], [], []
    return cut.opened, ["-map", f"1:a:{cut.track}", "-af", cut.filters, *coded], cut.beside(1)


def _repeated(audio: AudioCut, repeat: Repeat, n_frames: int, fps: Fraction, folder: Path) -> Path:
    """Write the sound of all passes to a file in the format of `media.repeat`."""
    once, again = folder / "once.s16", folder / "again.s16"
    cut = _cut(audio, float(repeat.frames / fps))
    if cut is None:
        raise UnreadableMediaError(f"{audio.path.name}: holds no sound that could be repeated")
    n = samples_needed(repeat.frames, fps)
    whole = f"{cut.filters},aresample={SAMPLE_RATE},apad=whole_len={n},atrim=end_sample={n}"
    args = [*cut.opened, "-map", f"0:a:{cut.track}", "-af", whole, *RAW, "-y", ffmpeg.file_url(once), *cut.beside(0)]
    ffmpeg.run(args, _TIMEOUT_S, f"reading the sound of {audio.path.name}")
    repeat_sound(once, again, repeat, n_frames, fps)
    return again


def _cut(audio: AudioCut, pictures_s: float) -> SoundCut | None:
    duration_s = min(pictures_s, audio.duration_s or pictures_s)
    opened = open_sound(audio.path) if audio.alone else open_soundtrack(audio.path)
    return opened.cut(audio.start_s, duration_s, audio.track)
