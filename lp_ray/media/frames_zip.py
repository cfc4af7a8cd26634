"""Frames as PNG pictures in one zip archive: a single object in the store, however many frames.

The members are `000000.png`, `000001.png`, ..., stored uncompressed (PNG is compressed already) and dated 1980-01-01,
so that the same frames give the same bytes.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from lp_ray.base.arrays import Image
from lp_ray.base.errors import EngineOutputError
from lp_ray.media.alpha import opaque, over_white
from lp_ray.media.encode import checked
from lp_ray.media.facts import MediaFacts, content_facts

_PNG = b"\x89PNG\r\n\x1a\n"
_IHDR = struct.Struct(">8sI4sII")  # signature, then the first chunk: length, type, width, height
_UNIX, _READABLE = 3, 0o644 << 16


def write_frames(path: Path, frames: Iterable[Image], first: int = 0) -> int:
    """Write RGB frames (n x H x W x 3 uint8, an array or an iterator), numbered from `first` on; return n.

    Straight pictures (`media.alpha`), n x H x W x 4, keep their transparency.

    Raises ValueError for no frames or a wrong or changing shape, and OSError if the disk is full. No file is left then.
    """
    n = 0
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            shape: tuple[int, ...] | None = None
            for picture in frames:
                shape = shape or picture.shape
                archive.writestr(_member(first + n), _png(checked(picture, shape, channels=(3, 4))))
                n += 1
        if n == 0:
            raise ValueError(f"{path.name}: no frames to write")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return n


def read_frames(path: Path, alpha: bool = False) -> Iterator[Image]:
    """Stream the pictures of an archive that `write_frames` wrote, from its first: H x W x 3 each, over white where
    they are transparent. With `alpha`, they are straight pictures (`media.alpha`), H x W x 4 each.

    Raises EngineOutputError for any other archive.
    """
    for number, data in enumerate(_pictures(path, 0)):
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.ndim != 3:
            raise EngineOutputError(f"{path.name}: {_name(number)} is no PNG picture that was written here")
        if picture.shape[2] == 4:
            transparent = cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA).astype(np.uint8, copy=False)
            yield transparent if alpha else over_white(transparent)
        else:
            plain = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
            yield opaque(plain) if alpha else plain


def count_frames(path: Path) -> int:
    """Return how many pictures an archive of frames lists, unread. Raises EngineOutputError for a damaged list."""
    try:
        with zipfile.ZipFile(path) as archive:
            return len(archive.infolist())
    except (zipfile.BadZipFile, ValueError) as error:
        raise _damaged(path, error) from error


def join_frames(paths: Sequence[Path], output: Path, n_frames: int, fps: Fraction | None = None) -> MediaFacts:
    """Join archives that `write_frames` wrote, in order, into one; one frame is in memory at a time. Return its facts.

    `fps` is only passed on to the facts. Raises EngineOutputError unless the archives hold the frames 0 to `n_frames` -
    1 in order, undamaged and of one size. No file is left then.
    """
    try:
        size = _join(paths, output, n_frames)
    except BaseException:
        output.unlink(missing_ok=True)
        raise
    duration_s = None if fps is None else float(n_frames / fps)
    return MediaFacts(n_frames, *size, *content_facts(output), fps, duration_s)


def _join(paths: Sequence[Path], output: Path, n_frames: int) -> tuple[int, int]:
    size: tuple[int, int] | None = None
    n = 0
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        for path in paths:
            for data in _pictures(path, n):
                size = size or _size(data, path)
                if _size(data, path) != size:
                    raise EngineOutputError(f"{path.name}: frame {n} is not of {size[0]} x {size[1]} pixels")
                archive.writestr(_member(n), data)
                n += 1
    if size is None or n != n_frames:
        raise EngineOutputError(f"{output.name}: the pieces hold {n} frames, not {n_frames}")
    return size


def _pictures(path: Path, first: int) -> Iterable[bytes]:
    """Yield the PNG files of an archive, which must be numbered from `first` on."""
    try:
        with zipfile.ZipFile(path) as piece:
            for n, member in enumerate(piece.infolist(), first):
                if member.filename != _name(n):
                    raise EngineOutputError(f"{path.name}: holds {member.filename} where {_name(n)} should follow")
                yield piece.read(member)  # its checksum is compared
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> EngineOutputError:
    return EngineOutputError(f"{path.name}: damaged archive of frames ({error})")


def _size(data: bytes, path: Path) -> tuple[int, int]:
    if len(data) >= _IHDR.size:
        signature, _, kind, width, height = _IHDR.unpack_from(data)
        if signature == _PNG and kind == b"IHDR":
            return width, height
    raise EngineOutputError(f"{path.name}: a frame is no PNG picture")


def _png(picture: Image) -> bytes:
    swapped = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, swapped))
    if not done:
        raise EngineOutputError(f"a frame of shape {picture.shape} could not be written as PNG")
    return data.tobytes()


def _name(number: int) -> str:
    return f"{number:06d}.png"


def _member(number: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(_name(number))  # dated 1980-01-01
    member.create_system, member.external_attr = _UNIX, _READABLE
    return member
