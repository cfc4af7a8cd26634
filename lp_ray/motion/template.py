"""Motion templates: a driving's motion in one file, which every pair of the same engine can use.

File format, version 1: an uncompressed `.npz` (a zip of stored `.npy` members, never pickled). `header` is a uint8
array with UTF-8 JSON (`TemplateHeader`). Every other member is one motion array with one row per frame; a header with
`n_faces` says that a row holds so many faces, one after another. Members are stored uncompressed, so a range of frames
can be read without loading the whole clip.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from lp_ray.base.errors import TemplateError
from lp_ray.base.npy import read_npy_header

FORMAT_VERSION = 1
HEADER = "header"
MAX_HEADER_BYTES = 8 << 20
HEADER_AHEAD = 1 << 16
"""How far to read ahead in a remote file for `read_header`: more than most headers and their table of contents take,
much less than the motion between them."""
MAX_MEMBERS = 100
MAX_DIRECTORY_BYTES = 1 << 20

_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_ENCRYPTED = 0x1
_ARRAY = re.compile(r"[A-Za-z0-9_]{1,64}")
"""Names of arrays: they become names of files while a template is written, and must not lead anywhere else."""
_NO_ARCHIVE = (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, KeyError)
"""What zipfile makes of others' bytes; NotImplementedError: a version or a packing that it does not know."""

MotionFrames = dict[str, NDArray[np.float32]]
"""Name -> n rows, one per frame. All engines have `eye_ratio` (n x 2) and `lip_ratio` (n x 1)."""


@dataclass(frozen=True)
class TemplateHeader:
    """What a template contains and how it was made.

    `missing_frames` are the frames without a face, which repeat the last good motion. `size` is the clip's (width,
    height). `crop` is the 2 x 3 matrix, row by row, from the clip's frames to the 512 x 512 crop that the motion was
    extracted from (None: whole frames, or not known). `n_faces` is the first side of every row (None: rows are those of
    one face).
    """

    engine: str
    engine_digest: str
    landmarker_digest: str
    fps_numerator: int
    fps_denominator: int
    n_frames: int
    missing_frames: tuple[int, ...] = ()
    size: tuple[int, int] | None = None
    crop: tuple[float, ...] | None = None
    n_faces: int | None = None
    format_version: int = FORMAT_VERSION

    @property
    def fps(self) -> Fraction:
        return Fraction(self.fps_numerator, self.fps_denominator)

    @property
    def matrix(self) -> NDArray[np.float64] | None:
        """`crop` as a 2 x 3 matrix."""
        return None if self.crop is None else np.array(self.crop).reshape(2, 3)

    def to_json(self) -> str:
        fields = asdict(self)
        if self.n_faces is None:  # as readers of before know it
            del fields["n_faces"]
        return json.dumps(fields, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> TemplateHeader:
        """Parse a header. Raises TemplateError unless the text is a header of this format version."""
        try:
            fields = json.loads(text)
            fields["missing_frames"] = tuple(int(i) for i in fields["missing_frames"])
            for name, length, kind in (("size", 2, int), ("crop", 6, float)):
                if fields.get(name) is not None:
                    fields[name] = _numbers(name, fields[name], length, kind)
            header = cls(**fields)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise TemplateError(f"not a motion template header: {error}") from error
        if header.format_version != FORMAT_VERSION:
            raise TemplateError(
                f"template format {header.format_version}, this version reads {FORMAT_VERSION}: make it again"
            )
        whole = (header.n_frames, header.fps_numerator, header.fps_denominator)
        if not all(type(number) is int for number in whole):
            raise TemplateError(f"template header with {whole} where whole numbers belong")
        if header.n_frames < 1 or header.fps_numerator < 1 or header.fps_denominator < 1:
            raise TemplateError("template header without frames or with an impossible rate")
        if header.n_faces is not None and (type(header.n_faces) is not int or header.n_faces < 1):
            raise TemplateError("template header with a number of faces that cannot be")
        return header


def _numbers(name: str, values: Any, length: int, kind: type) -> tuple[Any, ...]:
    numbers = tuple(kind(value) for value in values)
    if len(numbers) != length or not np.isfinite(numbers).all():
        raise ValueError(f"{name} of {len(numbers)} numbers")
    return numbers


def write_template(path: Path, header: TemplateHeader, parts: Iterable[Mapping[str, NDArray[Any]]]) -> None:
    """Write a template from consecutive pieces of its motion, with one piece in memory at a time.

    Raises TemplateError if the pieces differ in names or shapes, or do not add up to `header.n_frames`.
    """
    with TemporaryDirectory(dir=path.parent) as spool_name:
        spool = Path(spool_name)
        tails = _spool_parts(spool, header.n_frames, parts)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            text = np.frombuffer(header.to_json().encode(), np.uint8)
            with archive.open(f"{HEADER}.npy", "w") as member:
                npy.write_array(member, text, allow_pickle=False)
            for name, tail in tails.items():
                _copy_member(archive, name, spool / name, (header.n_frames, *tail))


def _spool_parts(spool: Path, n_frames: int, parts: Iterable[Mapping[str, NDArray[Any]]]) -> dict[str, tuple[int, ...]]:
    tails: dict[str, tuple[int, ...]] = {}
    rows = 0
    for part in parts:
        shapes = {name: array.shape[1:] for name, array in part.items()}
        lengths = {len(array) for array in part.values()}
        tails = tails or shapes
        if strange := [name for name in shapes if not _ARRAY.fullmatch(name)]:
            raise TemplateError(f"motion with an array named {strange[0][:80]!r}: letters, digits and _ only")
        if shapes != tails or len(lengths) != 1:
            raise TemplateError(f"motion pieces disagree: {shapes} of {sorted(lengths)} rows after {tails}")
        for name, array in part.items():
            with (spool / name).open("ab") as file:
                file.write(np.ascontiguousarray(array, dtype="<f4").tobytes())
        rows += lengths.pop()
    if rows != n_frames:
        raise TemplateError(f"{rows} frames of motion for a template of {n_frames}")
    return tails


def _copy_member(archive: zipfile.ZipFile, name: str, raw: Path, shape: tuple[int, ...]) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member, raw.open("rb") as file:
        npy.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": shape})
        while block := file.read(1 << 20):
            member.write(block)


def pack_part(motion: Mapping[str, NDArray[Any]]) -> bytes:
    """Serialise one piece of motion for `write_template`."""
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **{name: np.asarray(array, np.float32) for name, array in motion.items()})
    return sink.getvalue()


def unpack_part(data: bytes) -> MotionFrames:
    """Return the motion that `pack_part` serialised."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def read_header(file: BinaryIO) -> TemplateHeader:
    """Read only the header of an open template file, local or remote.

    Raises TemplateError if the file is not a template.
    """
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            return _read_header(archive)
    except _NO_ARCHIVE as error:
        raise TemplateError(_refusal(error)) from error


class TemplateReader:
    """A template file on the local disk, read by ranges of frames.

    Raises TemplateError if the file is not a template or its arrays do not fit its header.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            _check_directory(self._file)
            with zipfile.ZipFile(self._file) as archive:
                self.header = _read_header(archive)
                self._members = {
                    info.filename.removesuffix(".npy"): _locate(self._file, archive, info, self.header.n_frames)
                    for info in archive.infolist()
                    if info.filename != f"{HEADER}.npy"
                }
        except _NO_ARCHIVE as error:
            self._file.close()
            raise TemplateError(_refusal(error)) from error
        except BaseException:
            self._file.close()
            raise

        self._face: int | None = None
        n_faces = self.header.n_faces
        if n_faces is not None and any(member.tail[:1] != (n_faces,) for member in self._members.values()):
            self._file.close()
            raise TemplateError(f"template with arrays that do not hold the {n_faces} faces of its header")

    def face(self, index: int) -> TemplateReader:
        """Return a reader of one face's motion; both read the same file. Of a template of one face, the template."""
        if self.header.n_faces is None:
            return self
        view = copy(self)
        view._face, view.header = index, replace(self.header, n_faces=None)
        return view

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._members)

    def __len__(self) -> int:
        return self.header.n_frames

    def read(self, start: int = 0, stop: int | None = None, names: Iterable[str] | None = None) -> MotionFrames:
        """Return frames [start, stop) of the named arrays (all by default), clamped to the clip.

        Raises TemplateError for a name that the template does not hold.
        """
        stop = len(self) if stop is None else min(stop, len(self))
        wanted = self.names if names is None else set(names)
        if lacking := sorted(wanted - self.names):
            raise TemplateError(f"template has no {', '.join(lacking)} (it holds {', '.join(sorted(self.names))})")
        return {name: self._rows(self._members[name], max(start, 0), stop) for name in sorted(wanted)}

    def part(self, frames: range) -> TemplateReader:
        """Return a reader of consecutive frames of this template, as if it held no others. It reads the same file."""
        part = copy(self)
        part.header = replace(self.header, n_frames=len(frames))
        part._members = {
            name: replace(member, offset=member.offset + frames.start * member.row_bytes)
            for name, member in self._members.items()
        }
        return part

    def _rows(self, member: _Member, start: int, stop: int) -> NDArray[np.float32]:
        """Read rows by position. With a memory map, memory would grow with the part of the clip that was read."""
        count = max(stop - start, 0)
        data = os.pread(self._file.fileno(), count * member.row_bytes, member.offset + start * member.row_bytes)
        if len(data) != count * member.row_bytes:
            raise TemplateError("the template file ends early")
        rows = np.frombuffer(data, "<f4").reshape(count, *member.tail)
        return (rows if self._face is None else rows[:, self._face]).astype(np.float32)


def _refusal(error: Exception) -> str:
    return f"not a motion template, or a damaged one: {error}; fetch it again, or make it from its clip"


def _check_directory(file: BinaryIO) -> None:
    """Refuse an archive whose table of contents, which zipfile reads whole, is longer than any template's.

    For the end record and its ZIP64 locator see PKWARE APPNOTE 4.3.15 and 4.3.16.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - _LOCATOR.size - _END.size))
    tail = file.read()
    if len(tail) < _END.size:
        raise TemplateError("not a motion template: too short")
    mark, *_, members, n_bytes, _, comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\5\6" or comment or tail.startswith(b"PK\6\7"):
        raise TemplateError("not a motion template: its archive does not end as one of ours does")
    if members > MAX_MEMBERS or n_bytes > min(MAX_DIRECTORY_BYTES, end - _END.size):
        raise TemplateError(f"not a motion template: {members} members, listed in {n_bytes:,} bytes")


def _read_header(archive: zipfile.ZipFile) -> TemplateHeader:
    info = archive.getinfo(f"{HEADER}.npy")
    if info.file_size > MAX_HEADER_BYTES:
        raise TemplateError(f"template header of {info.file_size} bytes")
    _check_member(info)
    with archive.open(info) as member:  # the array's own header may announce more than the member holds
        (size, *more), _, dtype = read_npy_header(cast(BinaryIO, member))
        if more or dtype != np.uint8 or size > MAX_HEADER_BYTES:
            raise TemplateError("template header is not text")
        text = np.frombuffer(member.read(), np.uint8)
    if len(text) != size or text.dtype != np.uint8 or text.ndim != 1:
        raise TemplateError("template header is not text")
    return TemplateHeader.from_json(text.tobytes().decode())


@dataclass(frozen=True)
class _Member:
    """Where the rows of one array start in the file, and the shape of a row."""

    offset: int
    tail: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        return 4 * math.prod(self.tail)


def _check_member(info: zipfile.ZipInfo) -> None:
    """Refuse a member that is not one of ours by what the directory says of it: before zipfile goes there."""
    named = info.filename.endswith(".npy") and _ARRAY.fullmatch(info.filename.removesuffix(".npy"))
    if info.compress_type != zipfile.ZIP_STORED or not named or info.flag_bits & _ENCRYPTED:
        raise TemplateError(
            f"not a motion template: unexpected member {info.filename[:80]!r}, or one that is packed or encrypted"
        )
    if info.header_offset < 0:
        raise TemplateError(f"not a motion template: {info.filename!r} begins before the file does")


def _locate(file: BinaryIO, archive: zipfile.ZipFile, info: zipfile.ZipInfo, n_frames: int) -> _Member:
    """Find one stored member, so that only the rows asked for are ever read."""
    _check_member(info)
    with archive.open(info) as member:
        shape, fortran, dtype = read_npy_header(cast(BinaryIO, member))
        offset = member.tell()
    if dtype != np.dtype("<f4") or fortran or not shape or shape[0] != n_frames:
        raise TemplateError(f"{info.filename}: {dtype} {shape} where {n_frames} rows of float32 belong")
    if offset + math.prod(shape) * 4 != info.file_size:
        raise TemplateError(f"{info.filename}: {info.file_size} bytes do not hold {shape}")
    start = _data_offset(file, info)
    if start + info.file_size > file.seek(0, os.SEEK_END):
        raise TemplateError(f"{info.filename}: {info.file_size} bytes are announced, and the file ends before them")
    return _Member(start + offset, tuple(shape[1:]))


def _data_offset(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Return where a stored member's bytes start: after its local header (PKWARE APPNOTE 4.3.7)."""
    file.seek(info.header_offset + 26)
    name_length, extra_length = np.frombuffer(file.read(4), "<u2")
    return info.header_offset + 30 + int(name_length) + int(extra_length)
