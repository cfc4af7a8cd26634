"""What a file is, by its first bytes: the container decides the one demuxer that may open it."""

from __future__ import annotations

from pathlib import Path

from lp_ray.base.errors import MissingInputError, UnreadableMediaError

HEAD_BYTES = 512
_TS_PACKET = 188  # ISO/IEC 13818-1: a sync byte 0x47 every 188 bytes
_ISO_IMAGE_BRANDS = {b"heic", b"heix", b"mif1", b"msf1", b"avif"}  # ISO/IEC 23008-12: pictures, not clips
_ISO_FIRST_BOXES = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"}  # old QuickTime files have no ftyp

# First bytes -> ffmpeg demuxer.
_MAGIC = (
    (b"\x1a\x45\xdf\xa3", "matroska"),  # EBML: Matroska, WebM
    (b"FLV\x01", "flv"),
    (b"OggS", "ogg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\x00\x00\x01\xba", "mpeg"),  # MPEG program stream
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),  # ASF header object: WMV
)


def sniff_demuxer(head: bytes) -> str | None:
    """Name the ffmpeg demuxer for a file that starts with `head` (512 bytes), or None if it is no video."""
    for magic, demuxer in _MAGIC:
        if head.startswith(magic):
            return demuxer
    if head[4:8] in _ISO_FIRST_BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12] in _ISO_IMAGE_BRANDS else "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if len(head) > _TS_PACKET and head[0] == head[_TS_PACKET] == 0x47:
        return "mpegts"
    return None


def read_head(path: Path) -> bytes:
    """First 512 bytes. Raises MissingInputError, or UnreadableMediaError for an empty file or a folder."""
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
    """Whether the content (never the name) is a video container that `probe_video` takes.

    Raises MissingInputError or, for an empty file, UnreadableMediaError.
    """
    return sniff_demuxer(read_head(path)) is not None


def missing_box_bytes(path: Path) -> tuple[int, int] | None:
    """For an ISO base media file cut short: (bytes its top-level boxes announce, bytes it holds); else None.

    Box header: 32-bit size, 4-letter type, 64-bit size if the first is 1; size 0 runs to the end
    (ISO/IEC 14496-12, 4.2).
    """
    held = path.stat().st_size
    offset = 0
    with path.open("rb") as file:
        while offset + 8 <= held:
            file.seek(offset)
            header = file.read(16)
            size = int.from_bytes(header[:4], "big")
            if size == 1:
                size = int.from_bytes(header[8:16], "big")
            if size == 0:
                return None
            if size < 8 or not header[4:8].isalnum():
                break
            offset += size
    return (offset, held) if offset > held else None
