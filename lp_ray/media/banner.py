"""Read what ffmpeg's log says about a file's streams. The patterns do not match text from the file's metadata."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNKNOWN = "unknown"

_STREAM = re.compile(
    r"^\[info\]   Stream #0:(\d+)(?:\[0x[0-9a-f]+\])?(?:\(([^)\n]*)\))?: (Video|Audio): (\w+)", re.MULTILINE
)
_CHOSEN = re.compile(r"Stream #0:(\d+) (?:-> #0:0|\([^)]*\) -> )")
_PIXELS = re.compile(r"Video: [^\n]*?, (\w+)\(([^)\n]*)")
# ffmpeg's names of pixel formats with alpha; WebM keeps it in a second stream and says so in a tag of the track,
# which a copied stream has in capitals.
_ALPHA = re.compile(
    r"Video: [^\n]*, (?:yuva|ya\d|rgba|bgra|argb|abgr|gbrap|ayuv|vuya|pal8)|^\[info\] +(?i:alpha_mode) +: 1$",
    re.MULTILINE,
)
_GREY = re.compile(r"Video: [^\n]*?, gray")
_DURATION = re.compile(r"^\[info\]   Duration: (\d+):(\d\d):(\d\d\.\d+)(?:, start: (-?\d+\.\d+))?", re.MULTILINE)
_RATE = re.compile(r"Video: [^\n]*?, (\d+(?:\.\d+)?) fps")
_ROTATION = re.compile(r"Display Matrix: rotation of (-?\d+\.\d+) degrees$", re.MULTILINE)
_DOLBY = re.compile(r"DOVI configuration record: [^\n]*profile: (\d+)[^\n]*compatibility id: (\d+)")
_FIELDS = ("top ", "bottom ")  # "top first", "bottom coded first (swapped)", ...


@dataclass(frozen=True)
class AudioTrack:
    """A sound track.

    `index` is its place among the sound tracks, from 0. `language` is ISO 639-2, empty if the file names none.
    `default` says that the file asks players to take it.
    """

    index: int
    language: str
    default: bool


@dataclass(frozen=True)
class Colours:
    """How a stream says that its colours are coded, in ffmpeg's words; `UNKNOWN` if it says nothing."""

    matrix: str = UNKNOWN
    primaries: str = UNKNOWN
    transfer: str = UNKNOWN


@dataclass(frozen=True)
class Banner:
    """The chosen video stream and the sound tracks beside it.

    `interlaced` is what the container or the stream's header says; single frames may differ. `dolby_only` means a Dolby
    Vision profile that only a Dolby decoder shows correctly.
    """

    stream: int
    codec: str
    colours: Colours
    interlaced: bool
    has_alpha: bool
    rotation: int
    dolby_only: bool
    fps: float | None
    """The stated frame rate, rounded to two decimals; None if none is stated."""
    duration_s: float
    start_s: float
    """When the earliest of all streams begins, on the file's own clock. Like `duration_s`, 0 if it is not stated."""
    audio_tracks: tuple[AudioTrack, ...]
    grey_streams: tuple[int, ...]
    """Other video streams without colours: in an animated AVIF, this is its transparency."""


def read_banner(log: str) -> Banner:
    """Parse the log, of level info, of an ffmpeg run that mapped one video stream."""
    described, _, mapping = log.partition("[info] Stream mapping:")
    chosen = _CHOSEN.search(mapping)
    index = chosen.group(1) if chosen else "0"
    found = list(_STREAM.finditer(described))
    starts = [*(match.start() for match in found), len(described)]
    streams = {match.group(1): (match, described[starts[i] : starts[i + 1]]) for i, match in enumerate(found)}
    video = {number: text for number, (match, text) in streams.items() if match.group(3) == "Video"}
    text = video.get(index, "")
    said = _said(text)
    rotation, dolby, rate = _ROTATION.search(text), _DOLBY.search(text), _RATE.search(text)
    return Banner(
        int(index),
        streams[index][0].group(4) if text else UNKNOWN,
        _colours(said),
        any(word.startswith(_FIELDS) for word in said),
        _ALPHA.search(text) is not None,
        round(float(rotation.group(1)) / 90) * 90 % 360 if rotation else 0,
        dolby is not None and dolby.group(2) == "0",
        float(rate.group(1)) if rate else None,
        *_duration(described),
        read_audio_tracks(log),
        tuple(int(number) for number, about in video.items() if number != index and _GREY.search(about)),
    )


def read_audio_tracks(log: str) -> tuple[AudioTrack, ...]:
    """Return the sound tracks that a log of level info describes."""
    described, _, _ = log.partition("[info] Stream mapping:")
    tracks: list[AudioTrack] = []
    for match in _STREAM.finditer(described):
        if match.group(3) == "Audio":
            line = described[match.start() :].partition("\n")[0]
            language = match.group(2) or "und"
            named = language != "und" and language.isascii() and language.isalnum()
            tracks.append(AudioTrack(len(tracks), language if named else "", "(default)" in line))
    return tuple(tracks)


def default_track(tracks: tuple[AudioTrack, ...]) -> int | None:
    """Return the index of the track that a player takes: the first that is flagged default, else the first."""
    flagged = [track.index for track in tracks if track.default]
    return flagged[0] if flagged else tracks[0].index if tracks else None


def _said(text: str) -> list[str]:
    """Return the words in brackets after the pixel format: range, colours, field order; each only if it is known."""
    pixels = _PIXELS.search(text)
    return pixels.group(2).split(", ") if pixels else []


def _colours(said: list[str]) -> Colours:
    words = [word for word in said if word not in ("tv", "pc", "progressive") and not word.startswith(_FIELDS)]
    if not words:
        return Colours()
    named = words[0].split("/")
    return Colours(*(named if len(named) == 3 else named[:1] * 3))


def _duration(described: str) -> tuple[float, float]:
    found = _DURATION.search(described)
    if found is None:
        return 0.0, 0.0
    hours, minutes, seconds, start = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds), float(start or 0)
