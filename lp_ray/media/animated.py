"""Whether a picture moves: GIF, PNG and WebP say so in their blocks; no pixel is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_BLOCKS = 100_000  # looked through; the blocks that tell stand before the pictures
_WEBP_ANIMATED = 0x02  # of VP8X's flags
_GIF_IMAGE, _GIF_EXTENSION = 0x2C, 0x21


def demuxer(path: Path, head: bytes) -> str | None:
    """Name the ffmpeg demuxer for a PNG or WebP of more than one frame; None for anything else."""
    if head.startswith(_PNG):
        return "apng" if _n_png_frames(path) > 1 else None
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) > 20 and head[20] & _WEBP_ANIMATED:
        return "webp_anim" if _has_two_webp_frames(path) else None
    return None


def has_two_images(path: Path) -> bool:
    """Whether a GIF has more than one image (GIF89a specification, sections 18 to 27); False where it is damaged."""
    with path.open("rb") as file:
        header = file.read(13)
        _skip_colours(file, header[10] if len(header) == 13 else 0)
        images = 0
        for _ in range(_MAX_BLOCKS):
            kind = file.read(1)
            if kind == bytes([_GIF_EXTENSION]):
                file.seek(1, 1)
            elif kind == bytes([_GIF_IMAGE]):
                images += 1
                about = file.read(9)
                if images > 1 or len(about) < 9:
                    break
                _skip_colours(file, about[8])
                file.seek(1, 1)  # LZW code size
            else:
                break
            _skip_blocks(file)
        return images > 1


def _n_png_frames(path: Path) -> int:
    """Number of frames that the chunk acTL announces; it stands before the first picture (PNG, third edition, 11.3)."""
    with path.open("rb") as file:
        file.seek(len(_PNG))
        for kind, size in _chunks(file, "big"):
            if kind == b"acTL" and size >= 4:
                return int.from_bytes(file.read(4), "big")
            if kind in (b"IDAT", b"IEND"):
                break
    return 1


def _has_two_webp_frames(path: Path) -> bool:
    """Whether a WebP has more than one chunk ANMF (RFC 9649, 2.7)."""
    with path.open("rb") as file:
        file.seek(12)
        frames = 0
        for kind, _ in _chunks(file, "little"):
            frames += kind == b"ANMF"
            if frames > 1:
                return True
    return False


def _chunks(file: BinaryIO, order: str) -> Iterator[tuple[bytes, int]]:
    """Yield type and size of chunks, the file standing at the data of each: PNG's (big) or RIFF's (little-endian)."""
    for _ in range(_MAX_BLOCKS):
        header = file.read(8)
        if len(header) < 8:
            return
        kind, size = (header[4:], int.from_bytes(header[:4], "big"))
        after = size + 4  # its checksum
        if order == "little":
            kind, size = header[:4], int.from_bytes(header[4:], "little")
            after = size + size % 2
        data = file.tell()
        yield kind, size
        file.seek(data + after)


def _skip_colours(file: BinaryIO, packed: int) -> None:
    """Pass over the colour table that the packed fields announce: 2^(n + 1) colours if their top bit is set."""
    if packed & 0x80:
        file.seek(3 << ((packed & 7) + 1), 1)


def _skip_blocks(file: BinaryIO) -> None:
    for _ in range(_MAX_BLOCKS):
        length = file.read(1)
        if not length or not length[0]:
            return
        file.seek(length[0], 1)
