"""Tell what a file is by its content. The container decides which single demuxer may open it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from lp_ray.base.errors import MissingInputError, UnreadableMediaError
from lp_ray.media import animated

HEAD_BYTES = 1024
# ISO/IEC 13818-1: a sync byte 0x47 every 188 bytes; AVCHD's packets have 4 bytes of time before it, DVB's 16 bytes of
# error correction after it.
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))
_TS_PACKETS_SEEN = 4
_ISO_IMAGE_BRANDS = {b"heic", b"heix", b"heim", b"hevc", b"mif1", b"msf1", b"avif", b"avis", b"crx "}
"""ISO/IEC 23008-12 (HEIF) and cameras: pictures, not clips."""
_ISO_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"}  # old QuickTime files have no ftyp

_UNKNOWN_SIZE = 0xFFFFFFFF

# First bytes -> ffmpeg demuxer.
_MAGIC = (
    (b"\x1a\x45\xdf\xa3", "matroska"),  # EBML: Matroska, WebM
    (b"FLV\x01", "flv"),
    (b"OggS", "ogg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x00\x00\x01\xba", "mpeg"),  # MPEG program stream
    (b"\x00\x00\x01\xb3", "mpegvideo"),  # MPEG-1 or 2 video without a container
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),  # ASF header object: WMV
)


def sniff_demuxer(head: bytes) -> str | None:
    """Return the ffmpeg demuxer for a video file that starts with `head` (1024 bytes); None if it is no video.

    Animated pictures are not recognised here: see `clip_demuxer`.
    """
    for magic, demuxer in _MAGIC:
        if head.startswith(magic):
            return demuxer
    if head[4:8] in _ISO_FIRST_BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12] in _ISO_IMAGE_BRANDS else "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    return "mpegts" if _is_transport_stream(head) else None


def sound_demuxer(head: bytes) -> str | None:
    """Return the ffmpeg demuxer for a sound file that starts with `head`; None if it is none that is read."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):  # Vorbis, Opus
        return "ogg"
    if head[4:8] == b"ftyp":
        return None if head[8:12] in _ISO_IMAGE_BRANDS else "mov"
    # ISO/IEC 11172-3: eleven set bits, then version and layer, of which 00 is none (it would be ADTS).
    frame = head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0
    return "mp3" if frame or head.startswith(b"ID3") else None


def clip_demuxer(path: Path, head: bytes) -> str | None:
    """Return the ffmpeg demuxer for a video file, or for a picture that is read like one; None for anything else.

    Such pictures are animated (WebP, PNG or AVIF of several frames), or have HDR or wide-gamut colours, which are
    converted as those of a video are.
    """
    demuxer = sniff_demuxer(head)
    if demuxer is not None:
        return demuxer
    if is_picture_sequence(head):
        return "mov"
    return animated.demuxer(path, head) or animated.coded_demuxer(path, head)


def is_picture_sequence(head: bytes) -> bool:
    """Return whether a file is an animated AVIF: `avis` is its brand or one of its compatible brands."""
    if head[4:8] != b"ftyp" or head[8:12] not in (b"avif", b"avis"):
        return False
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return b"avis" in [head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))]


def read_head(path: Path) -> bytes:
    """Return the first 1024 bytes. Raises MissingInputError, or UnreadableMediaError for an empty file or a folder."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise MissingInputError(f"{path.name}: no such file") from error
    except OSError as error:
        raise UnreadableMediaError(f"{path.name}: cannot be opened ({error.strerror})") from error
    if not head:
        raise UnreadableMediaError(f"{path.name}: the file is empty (0 bytes)")
    return head


def is_video(path: Path) -> bool:
    """Return whether the content (never the name) is a clip that `probe_video` reads, including animated pictures.

    A GIF counts as a clip even if it has only one frame: see `moves`. Raises MissingInputError, or UnreadableMediaError
    for an empty file.
    """
    return clip_demuxer(path, read_head(path)) is not None


def moves(path: Path) -> bool:
    """Return whether the content is a clip; for formats that are cheap to check, also whether it has several frames.

    A video file (MP4, ...) counts as a clip even with one frame, because only a listing of its packets would tell.
    Raises as `is_video` does.
    """
    head = read_head(path)
    demuxer = sniff_demuxer(head)
    if demuxer == "gif":
        return animated.has_two_images(path)
    return demuxer is not None or is_picture_sequence(head) or animated.demuxer(path, head) is not None


def _is_transport_stream(head: bytes) -> bool:
    for size, offset in _TS_PACKETS:
        syncs = head[offset::size][:_TS_PACKETS_SEEN]
        if len(syncs) >= 2 and set(syncs) == {0x47} and (0x00 in head or 0xFF in head):  # no text with many a G
            return True
    return False


def missing_bytes(path: Path) -> tuple[int, int] | None:
    """For an ISO base media or AVI file that is cut short, return (bytes at least announced, bytes present); else None.

    A box begins with a 32-bit size and a 4-letter type, and a 64-bit size if the first is 1; size 0 extends to the end
    (ISO/IEC 14496-12, 4.2). A RIFF file begins with the size of what follows, or 0 if it was never finished.
    """
    held = path.stat().st_size
    with path.open("rb") as file:
        announced = _announced(file, held)
    return (announced, held) if announced > held else None


def _announced(file: BinaryIO, held: int) -> int:
    head = file.read(8)
    if head[:4] == b"RIFF":
        size = int.from_bytes(head[4:], "little")
        return 0 if size == _UNKNOWN_SIZE else size + 8
    offset = 0
    while offset + 8 <= held:
        file.seek(offset)
        header = file.read(16)
        size = int.from_bytes(header[:4], "big")
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if size < 8 or not header[4:8].isalnum():
            break
        offset += size
    return offset
