"""What an input is, judged by its name, because the plan must decide before any file is read.

The content decides in the end: a stage that finds something else fails the input and says so. The column `media` of a
sources manifest has priority over both.
"""

from __future__ import annotations

from pathlib import PurePosixPath

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".apng", ".webp", ".avif", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset(
    {
        *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif", ".flv", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg"),
        *(".wmv", ".ogv"),
    }
)
MAY_MOVE = frozenset({".gif", ".webp", ".png", ".apng", ".avif"})
"""Suffixes of pictures that may be animated. For local files, the content tells."""
TEMPLATE_SUFFIXES = frozenset({".pkl", ".npz"})
"""Motion templates: the reference's, and ours."""
PERFORMANCE_SUFFIXES = frozenset({".perf.parquet", ".perf.csv"})
"""Performances: tables of curves (docs/performances.md). They are drivings, and count as motion templates."""
SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus")
"""Sound files that may lie beside a performance, under the same name."""
MEDIA_SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES | TEMPLATE_SUFFIXES | PERFORMANCE_SUFFIXES

NO_DRIVING = "none://neutral"
"""The driving of a source that is only edited, typed `none`: a neutral performance of one frame."""
NONE = "none"

NOT_READ = {
    **dict.fromkeys((".heic", ".heif", ".hif", ".jp2", ".jxl"), "convert to JPEG"),
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2"), "develop to JPEG or TIFF"),
    **dict.fromkeys((".psd", ".svg", ".pdf"), "export as PNG"),
}
"""Suffixes of pictures that cannot be read -> what to do instead."""

MEDIA = ("image", "video")
"""Values of the column `media` in a sources manifest, for names that do not tell."""


def suffix_of(uri: str) -> str:
    """Return the known suffix of a URI's name in lower case, without a query; empty if it is not known."""
    for name in (uri, uri.partition("?")[0]):
        suffixes = "".join(PurePosixPath(name).suffixes[-2:]).lower()
        if suffixes in PERFORMANCE_SUFFIXES:
            return suffixes
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in MEDIA_SUFFIXES:
            return suffix
    return ""


def ending_of(uri: str) -> str:
    """Return the suffix of a URI's name in lower case, known or not; empty if there is none."""
    return suffix_of(uri) or PurePosixPath(uri).suffix.lower()


def is_template(uri: str) -> bool:
    """Return whether a driving is motion rather than pictures: a motion template file, or a performance."""
    return suffix_of(uri) in TEMPLATE_SUFFIXES or is_performance(uri)


def is_performance(uri: str) -> bool:
    """Return whether a driving is a performance: a table of curves, or no driving at all."""
    return uri == NO_DRIVING or suffix_of(uri) in PERFORMANCE_SUFFIXES


def sound_stem(uri: str) -> str:
    """Return what a driving's sound is called, without its suffix: `nod` of `nod.perf.csv`. Empty: it can have none.

    Only performances have sounds beside them, and not on the web, which has no folders to look into.
    """
    suffix = suffix_of(uri)
    named = suffix in PERFORMANCE_SUFFIXES and uri.lower().endswith(suffix)
    return uri[: -len(suffix)] if named and not uri.lower().startswith(("http:", "https:")) else ""


def sounds_beside(uri: str) -> tuple[str, ...]:
    """Return the URIs at which a driving's sound may lie: `nod.wav` beside `nod.perf.csv`, and so on."""
    stem = sound_stem(uri)
    return tuple(stem + suffix for suffix in SOUND_SUFFIXES) if stem else ()


def may_move(uri: str) -> bool:
    """Return whether a picture with this name may be animated."""
    return suffix_of(uri) in MAY_MOVE


def is_video(uri: str) -> bool:
    """Return whether a source is a video. A name without a known suffix counts as a picture."""
    return suffix_of(uri) in VIDEO_SUFFIXES
