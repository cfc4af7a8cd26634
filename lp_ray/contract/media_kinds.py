"""What an input is, as far as its name tells: the plan must know it before anything is read.

The content decides in the end: a stage that finds something else fails that input and says so. What a sources manifest
says in its column `media` goes before both.
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
"""Endings that tell neither a picture nor a film: the content of local files does."""
TEMPLATE_SUFFIXES = frozenset({".pkl", ".npz"})
"""Motion templates: the reference's, and our own."""
MEDIA_SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES | TEMPLATE_SUFFIXES

NOT_READ = {
    **dict.fromkeys((".heic", ".heif", ".hif", ".jp2", ".jxl"), "convert to JPEG"),
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2"), "develop to JPEG or TIFF"),
    **dict.fromkeys((".psd", ".svg", ".pdf"), "export as PNG"),
}
"""Endings of pictures that are not read -> what to do about it."""

MEDIA = ("image", "video")
"""What a sources manifest may say in its column `media` where the name does not tell."""


def suffix_of(uri: str) -> str:
    """Return the ending of a URI's name in small letters, without what a query adds to it."""
    for name in (uri, uri.partition("?")[0]):
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES | TEMPLATE_SUFFIXES:
            return suffix
    return ""


def ending_of(uri: str) -> str:
    """Return the ending of a URI's name in small letters, known or not; empty where it has none."""
    return suffix_of(uri) or PurePosixPath(uri).suffix.lower()


def is_template(uri: str) -> bool:
    """Whether a driving is a motion template file."""
    return suffix_of(uri) in TEMPLATE_SUFFIXES


def may_move(uri: str) -> bool:
    """Whether the name leaves open if a picture moves."""
    return suffix_of(uri) in MAY_MOVE


def is_video(uri: str) -> bool:
    """Whether a source is a video; a name without a known ending is taken for a picture's."""
    return suffix_of(uri) in VIDEO_SUFFIXES
