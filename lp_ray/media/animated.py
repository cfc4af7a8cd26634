"""Decide which pictures are read as clips: animated ones, and those whose colours need a clip's conversion.

GIF, PNG, WebP and AVIF state this in their blocks. No pixel is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_BLOCKS = 100_000  # blocks read at most; the relevant ones come before the pictures
_AVIF_HEADER_BYTES = 1 << 16  # its properties stand before its pictures
_WIDE = (9, 11, 12)  # ITU-T H.273, table 2: BT.2020, DCI P3, Display P3
_HDR = (16, 18)  # table 3: PQ, HLG
_WEBP_ANIMATED = 0x02  # of VP8X's flags
_GIF_IMAGE, _GIF_EXTENSION = 0x2C, 0x21


def demuxer(path: Path, head: bytes) -> str | None:
    """Return the ffmpeg demuxer for a PNG or WebP of more than one frame; None for anything else."""
    if head.startswith(_PNG):
        return "apng" if _png(path).n_frames > 1 else None
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) > 20 and head[20] & _WEBP_ANIMATED:
        return "webp_anim" if _has_two_webp_frames(path) else None
    return None


def coded_demuxer(path: Path, head: bytes) -> str | None:
    """Return the ffmpeg demuxer for a one-frame PNG or AVIF with HDR or wide-gamut colours; None for anything else.

    Only if the colours are stated by number (ITU-T H.273), not by a profile.
    """
    if head.startswith(_PNG):
        return "png_pipe" if _is_far(_png(path).coded) else None
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"mif1"):
        with path.open("rb") as file:
            start = file.read(_AVIF_HEADER_BYTES)
        at = start.find(b"colrnclx")
        return "mov" if at >= 0 and _is_far(start[at + 9 : at + 13 : 2]) else None
    return None


def has_two_images(path: Path) -> bool:
    """Return whether a GIF has more than one image (GIF89a specification, sections 18 to 27); False if damaged."""
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


@dataclass(frozen=True)
class _Png:
    """Values of the chunks acTL and cICP, which come before the first picture (PNG, third edition, 11.3)."""

    n_frames: int = 1
    coded: bytes = b""


def _png(path: Path) -> _Png:
    found = _Png()
    with path.open("rb") as file:
        file.seek(len(_PNG))
        for kind, size in _chunks(file, "big"):
            if kind == b"acTL" and size >= 4:
                found = replace(found, n_frames=int.from_bytes(file.read(4), "big"))
            elif kind == b"cICP" and size == 4:
                found = replace(found, coded=file.read(4)[:2])
            elif kind in (b"IDAT", b"IEND"):
                break
    return found


def _is_far(coded: bytes) -> bool:
    """Return whether primaries and transfer, numbered as in H.273, differ from those of ordinary screens."""
    return len(coded) == 2 and (coded[0] in _WIDE or coded[1] in _HDR)


def _has_two_webp_frames(path: Path) -> bool:
    """Return whether a WebP has more than one ANMF chunk (RFC 9649, 2.7)."""
    with path.open("rb") as file:
        file.seek(12)
        frames = 0
        for kind, _ in _chunks(file, "little"):
            frames += kind == b"ANMF"
            if frames > 1:
                return True
    return False


def _chunks(file: BinaryIO, order: str) -> Iterator[tuple[bytes, int]]:
    """Yield the type and size of chunks, with the file at the data of each: PNG's (big-) or RIFF's (little-endian)."""
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
    """Skip the colour table that the packed fields announce: 2^(n + 1) colours if their top bit is set."""
    if packed & 0x80:
        file.seek(3 << ((packed & 7) + 1), 1)


def _skip_blocks(file: BinaryIO) -> None:
    for _ in range(_MAX_BLOCKS):
        length = file.read(1)
        if not length or not length[0]:
            return
        file.seek(length[0], 1)
