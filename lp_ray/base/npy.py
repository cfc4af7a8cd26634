"""Headers of `.npy` files from anyone, read without evaluating them.

numpy's own reader evaluates the header as a Python literal, and what forged ones make of that (its parser's and its
tokenizer's errors, a deep nest) has no common kind. Arrays of plain numbers all have the one form that numpy writes.
"""

from __future__ import annotations

import re
import struct
from typing import BinaryIO

import numpy as np

_START = b"\x93NUMPY\x01\x00"
"""Of version 1.0, which numpy writes for all but very long headers (numpy.lib.format)."""
_LENGTH = struct.Struct("<H")
_FORM = re.compile(
    rb"\{'descr': '([<>|](?:b1|[iu][1248]|f[248]))', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,19}, )*\d{1,19},?|)\), \}\s*"
)
_MAX_HEADER = 1024


def read_npy_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Read shape, whether it is stored by columns, and dtype of an array of plain numbers; its data follow.

    Raises ValueError for anything else.
    """
    start = file.read(len(_START) + _LENGTH.size)
    if not start.startswith(_START) or len(start) < len(_START) + _LENGTH.size:
        raise ValueError("an array in another form than .npy 1.0")
    (length,) = _LENGTH.unpack(start[len(_START) :])
    header = file.read(length) if length <= _MAX_HEADER else b""
    match = _FORM.fullmatch(header)
    if len(header) != length or match is None:
        raise ValueError(f"an array of anything but plain numbers, or a damaged header ({header[:60]!r})")
    dtype, fortran, shape = match.groups()
    sides = tuple(int(side) for side in shape.replace(b",", b" ").split())
    return sides, fortran == b"True", np.dtype(dtype.decode())
