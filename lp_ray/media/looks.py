"""Describe what unexpected bytes look like, for error messages."""

from __future__ import annotations

FILMS = "MP4, MOV, MKV, WebM, AVI, MPEG, TS, FLV, WMV, OGV"
"""Types of video files that can be read, for messages."""

SOUNDS = "WAV, FLAC, MP3, M4A, Ogg, Opus"
"""Types of sound files that can be read, for messages."""

_TEXT_BYTES = 64  # of a text that is shown
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")

# First bytes of files that are often given by mistake.
_MAGIC = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP picture"),
    (b"II*\x00", "a TIFF picture, or a camera's raw one"),
    (b"MM\x00*", "a TIFF picture, or a camera's raw one"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"FUJIFILMCCD-RAW", "a camera's raw picture"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM film"),
    (b"FLV\x01", "an FLV film"),
    (b"\x00\x00\x01\xba", "an MPEG film"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a WMV film"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3 sound"),
    (b"\xff\xfb", "an MP3 sound"),
    (b"fLaC", "a FLAC sound"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (or an office document, a template .npz)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"PAR1", "a Parquet table"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"version https://git-lfs", "a Git LFS pointer: the file itself was not fetched"),
)
# The brand of an ISO base media file (ISO/IEC 14496-12, 4.3).
_BRANDS = {
    b"heic": "an HEIC picture (as iPhones take them)",
    b"heix": "an HEIC picture (as iPhones take them)",
    b"heim": "an HEIC picture (as iPhones take them)",
    b"hevc": "an HEIC sequence",
    b"msf1": "an HEIF sequence",
    b"mif1": "an HEIF picture",
    b"avif": "an AVIF picture",
    b"avis": "an animated AVIF",
    b"crx ": "a camera's raw picture (CR3)",
    b"M4A ": "an M4A sound",
}


def describe(head: bytes) -> str:
    """Return what a file that starts with `head` looks like, in words that fit after "it looks like".

    >>> describe(b"<!DOCTYPE html><title>Not found</title>")
    'a web page (<!DOCTYPE html><title>Not found</title>)'
    """
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "an MP4 or QuickTime film")
    if head[:4] == b"RIFF":
        return {b"WEBP": "a WebP picture", b"AVI ": "an AVI film", b"WAVE": "a WAV sound"}.get(
            head[8:12], "a RIFF file"
        )
    for magic, words in _MAGIC:
        if head.startswith(magic):
            return words
    if not any(head):
        return "nothing but zero bytes"
    return _describe_text(head) or "none of the kinds that are known here"


def is_heif(head: bytes) -> bool:
    """Return whether it is a picture, or several, of the HEIF family except AVIF."""
    return head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1")


def _describe_text(head: bytes) -> str | None:
    """Return what a text looks like by its beginning; None for bytes that are not text."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    text = head.decode(encoding, "ignore").lstrip("\ufeff \t\r\n")
    printable = sum(letter.isprintable() or letter in "\t\r\n" for letter in text)
    if len(text) < len(head) // 4 or printable < 0.97 * len(text):
        return None
    start = " ".join(text[:_TEXT_BYTES].split())
    lower = text[:4096].lower().encode()
    if lower.startswith(_HTML) or (lower.startswith(b"<?xml") and b"<html" in lower):
        kind = "a web page"
    elif lower.startswith(b"<svg") or (lower.startswith(b"<?xml") and b"<svg" in lower):
        kind = "an SVG drawing"
    elif lower.startswith(b"<"):
        kind = "an XML text, perhaps a store's answer"
    elif lower.startswith((b"{", b"[")):
        kind = "a JSON text"
    elif lower.startswith(b"#extm3u"):
        kind = "a playlist"
    else:
        kind = "a text"
    return f"{kind} ({start})"
