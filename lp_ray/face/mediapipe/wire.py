"""Just enough of the protocol-buffer wire format to read the canonical mesh.

Format: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections import defaultdict

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5

Message = dict[int, list[int | bytes]]
"""Field number -> its values in order: integers of varint fields, raw bytes of all others."""


def parse(data: bytes) -> Message:
    """Split one message into its fields. Raises ValueError for anything that is not a whole message."""
    fields: Message = defaultdict(list)
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value: int | bytes
        if tag & 7 == VARINT:
            value, at = _varint(data, at)
        else:
            length, at = _length(data, at, tag & 7)
            value, at = data[at : at + length], at + length
        if at > len(data):
            raise ValueError("protobuf message ends inside a field")
        fields[tag >> 3].append(value)
    return dict(fields)


def _length(data: bytes, at: int, kind: int) -> tuple[int, int]:
    if kind == LENGTH:
        return _varint(data, at)
    if kind in (FIXED32, FIXED64):
        return (4 if kind == FIXED32 else 8), at
    raise ValueError(f"protobuf wire type {kind} is not known")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return (value, next offset): seven bits a byte, lowest first, the top bit set on all but the last."""
    value = shift = 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
        shift += 7
    raise ValueError("protobuf varint without an end")
