"""A file's sound tracks, and how their times relate to the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lp_ray.base.errors import InputError, UnreadableMediaError, UnsupportedError
from lp_ray.media import ffmpeg, sniff
from lp_ray.media.banner import AudioTrack, default_track, read_audio_tracks
from lp_ray.media.listing import FIRST_VIDEO, NO_TIME, marked

_TIMEOUT_S = 3600.0
_SEEKABLE = {"mov", "matroska"}  # with an index that says where the sound is; others are read from the start
_SEEK_EARLY_S = 5.0
_RESTARTING = {"mpegts", "mpeg"}  # recordings joined with cat: ffmpeg mends their times unless told to keep them
_TICK = Fraction(1, 1_000_000)


@dataclass(frozen=True)
class SoundCut:
    """A cut of a sound track, for ffmpeg: arguments that open the file, the track, filters that cut it."""

    opened: list[str]
    track: int
    filters: str
    restarting: bool

    def beside(self, number: int) -> list[str]:
        """Return one more output, which must come after the others. `number` is the file's place among the inputs."""
        return _everything(number) if self.restarting else []


@dataclass(frozen=True)
class Soundtrack:
    """The sound tracks of a local file; see `open_soundtrack`.

    `alone`: it is a sound file (`lp_ray.media.sound_files`), whose time 0 is where its sound begins.
    """

    path: Path
    demuxer: str
    tracks: tuple[AudioTrack, ...]
    first_picture_s: float = 0.0
    alone: bool = False

    def cut(self, start_s: float, duration_s: float, track: int | None) -> SoundCut | None:
        """Return a cut of the sound that begins `start_s` after the first picture; None if the file has no sound.

        `track` counts from 0; None takes the file's default track, else the first. Raises UnsupportedError for a track
        that does not exist.
        """
        chosen = default_track(self.tracks) if track is None else track
        if chosen is None:
            return None
        if not 0 <= chosen < len(self.tracks):
            raise UnsupportedError(
                f"{self.path.name}: there is no sound track {chosen}; it has {len(self.tracks)}, counted from 0"
                f"{_languages(self.tracks)}"
            )
        begin_s = self.first_picture_s + start_s
        seek: list[str] = []
        if not self.alone and self.demuxer in _SEEKABLE and begin_s > 2 * _SEEK_EARLY_S:
            seek = ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{begin_s - _SEEK_EARLY_S:.6f}"]
        # Cut by the file's own clock: without -copyts ffmpeg moves the sound of some containers to 0. Sound that
        # begins after the picture is led in by silence, so that it keeps its place.
        clock = [] if self.alone else _clock(self.demuxer)
        opened = [*clock, *ffmpeg.input_args(self.path, self.demuxer, *seek)]
        filters = f"atrim=start={begin_s:.6f}:duration={duration_s:.6f},asetpts=PTS-({begin_s:.6f})/TB"
        restarting = not self.alone and self.demuxer in _RESTARTING
        return SoundCut(opened, chosen, f"{filters},aresample=async=1:first_pts=0", restarting)


def open_soundtrack(path: Path) -> Soundtrack:
    """Find the sound tracks and the time of the first picture shown, on the same clock as the sound.

    The picture is decoded, because packets before it may be hidden. AVI has no presentation times, so there the first
    packet stands for the first picture. Raises UnreadableMediaError or InputError.
    """
    demuxer = sniff.clip_demuxer(path, sniff.read_head(path))
    if demuxer is None:
        raise UnreadableMediaError(f"{path.name}: not a video file, so there is no sound to take from it")
    opened = [*_clock(demuxer), *ffmpeg.input_args(path, demuxer), "-map", FIRST_VIDEO]
    return _from_packets(path, opened) if demuxer == "avi" else _from_pictures(path, demuxer, opened)


def _from_packets(path: Path, opened: list[str]) -> Soundtrack:
    args = [*opened, "-frames:v", "1", "-c", "copy", "-f", "framecrc", "pipe:1"]
    with ffmpeg.Child(args, loglevel="info") as child:
        lines = list(child.lines(_TIMEOUT_S))
        tracks = read_audio_tracks(child.log(head=True))
    base = [line.split(":")[1] for line in lines if line.startswith("#tb 0:")]
    rows = [line for line in lines if line.startswith("0,")]
    if not base or not rows:
        raise _no_picture(path)
    return Soundtrack(path, "avi", tracks, float(int(rows[0].split(",")[1]) * Fraction(base[0].strip())))


def _from_pictures(path: Path, demuxer: str, opened: list[str]) -> Soundtrack:
    args = [*opened, "-vf", "scale=16:16", *marked(_TICK, ffmpeg.MARKS, " {ptsi}"), "-c:v", "rawvideo"]
    args += ["-f", "framecrc", "-y", "file:/dev/null", *(_everything(0) if demuxer in _RESTARTING else [])]
    first: int | None = None
    with ffmpeg.Child(args, loglevel="info") as child:
        while line := child.mark(_TIMEOUT_S):
            mark, _, given = line.partition(" ")
            if first is None:
                first = int(mark)
            if demuxer != "matroska":
                break
            if int(given) != NO_TIME and int(mark) >= 0:  # what lies before Matroska's time 0 is not shown
                first = int(mark)
                break
        tracks = read_audio_tracks(child.log(head=True))
    if first is None:
        raise _no_picture(path)
    return Soundtrack(path, demuxer, tracks, float(first * _TICK))


def _clock(demuxer: str) -> list[str]:
    return [] if demuxer in _RESTARTING else ["-copyts"]


def _everything(number: int) -> list[str]:
    """Return an output that discards all streams of an input. Where ffmpeg corrects the times, it counts from the
    earliest stream in use; this output makes it use all streams."""
    return ["-map", f"{number}:V:0", "-map", f"{number}:a?", "-c", "copy", "-f", "null", "-"]


def _no_picture(path: Path) -> InputError:
    return InputError(f"{path.name}: holds no picture to place its sound by")


def _languages(tracks: tuple[AudioTrack, ...]) -> str:
    named = [f"{track.index}: {track.language}" for track in tracks if track.language]
    return f" ({', '.join(named)})" if named else ""
