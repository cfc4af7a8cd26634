"""Sound files, which have no pictures: what lies beside a performance."""

from __future__ import annotations

from pathlib import Path

from lp_ray.base.errors import InputError, UnreadableMediaError
from lp_ray.base.limits import Limits
from lp_ray.media import ffmpeg, sniff
from lp_ray.media.banner import read_audio_tracks
from lp_ray.media.looks import SOUNDS, describe
from lp_ray.media.soundtrack import Soundtrack

_TIMEOUT_S = 60.0
_LISTENED_S = "1"
_RAW = ("-ac", "1", "-ar", "8000", "-f", "s16le", "pipe:1")


def open_sound(path: Path, limits: Limits | None = None) -> Soundtrack:
    """Open a local sound file and decode its first second; the content says which format it is.

    Raises UnreadableMediaError for what is no sound file, or holds no sound, and what `ffmpeg.Child` raises.
    """
    head = sniff.read_head(path)
    demuxer = sniff.sound_demuxer(head)
    if demuxer is None:
        raise UnreadableMediaError(
            f"{path.name}: not a sound file ({SOUNDS}); by its content it looks like {describe(head)}"
        )
    args = [*ffmpeg.input_args(path, demuxer), "-map", "0:a:0", "-t", _LISTENED_S, *_RAW]
    with ffmpeg.Child(args, loglevel="info", limits=limits or Limits()) as child:
        buffer = memoryview(bytearray(2 * 8000))
        heard = child.read_into(buffer, _TIMEOUT_S)
        child.check_end(_TIMEOUT_S)
        tracks = read_audio_tracks(child.log(head=True))
        reasons = ffmpeg.errors_in(child.log())
    if not tracks or not heard:
        raise UnreadableMediaError(f"{path.name}: holds no sound that can be decoded{_because(reasons)}")
    return Soundtrack(path, demuxer, tracks, alone=True)


def check_sound(path: Path, limits: Limits, name: str) -> None:
    """Raise InputError for a sound beside a performance that cannot be used. `name` is what people know it by."""
    try:
        open_sound(path, limits)
    except InputError as error:
        said = str(error).removeprefix(f"{path.name}: ")
        raise type(error)(f"the sound beside the table, {name}: {said}; mend it, or take it away") from error


def _because(reasons: list[str]) -> str:
    return f" ({reasons[0]})" if reasons else ""
