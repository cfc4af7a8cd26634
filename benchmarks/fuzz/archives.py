"""Zip archives by hand: what a zip may say of its members, true or not."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.fuzz.mutations import LARGE, SIZES, Dice, packed_zeros

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_NAMES = (
    "../../../tmp/out.npy",
    "/etc/cron.d/x.npy",
    "..\\..\\x.npy",
    "a\0.npy",
    "header.npy",
    "",
    "x" * 60_000,
    "\u202e.npy",
)
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True)
class Member:
    """A member of an archive, and what its two headers say of it."""

    name: bytes
    data: bytes
    method: int = _STORED
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    version: int = 20
    flags: int = 0
    offset: int | None = None


def archive(members: Sequence[Member], count: int | None = None, comment: bytes = b"") -> bytes:
    """Return a zip of members (PKWARE APPNOTE 4.3); what is not given is true."""
    body, directory = b"", b""
    for member in members:
        crc = zlib.crc32(member.data) if member.crc is None else member.crc
        packed = len(member.data) if member.packed is None else member.packed
        size = packed if member.size is None else member.size
        about = (member.version, member.flags, member.method, 0, 0x21, crc, packed & 0xFFFFFFFF, size & 0xFFFFFFFF)
        at = len(body) if member.offset is None else member.offset
        body += _LOCAL.pack(b"PK\3\4", *about, len(member.name), 0) + member.name + member.data
        directory += (
            _CENTRAL.pack(b"PK\1\2", 20, *about, len(member.name), 0, 0, 0, 0, 0, at & 0xFFFFFFFF) + member.name
        )
    n = (len(members) if count is None else count) & 0xFFFF
    end = _END.pack(b"PK\5\6", 0, 0, n, n, len(directory), len(body), len(comment))
    return body + directory + end + comment


_LIES = (
    *("version", "flags", "method", "size", "packed", "crc", "name", "twice", "many", "bomb", "offset", "count"),
    "comment",
)
_NUMBERS = (1, 8, 9, 12, 14, 45, 63, 93, 95, 98, 99, 0x20, 0x40, 0x800, 0xFFFF)
"""Versions, flags and methods: known ones, unknown ones, encryption, patches."""


def _said(member: Member, field: str, value: int) -> Member:
    changed: dict[str, Any] = {field: value}
    return replace(member, **changed)


def spoil(members: Sequence[Member], dice: Dice) -> tuple[bytes, str]:
    """Return an archive of members that says something untrue of one of them, or of itself; and what."""
    changed = list(members)
    n = dice.below(len(changed))
    member = changed[n]
    how = dice.of(_LIES)
    if how == "bomb":
        start = zlib.compressobj(9, wbits=-15)
        packed = start.compress(member.data[:128]) + start.flush(zlib.Z_FULL_FLUSH)
        packed += packed_zeros(dice.of((1 << 20, 200 << 20)))[2:-4]
        changed[n] = replace(member, data=packed, method=_DEFLATED, size=dice.of((len(packed), 200 << 20, 0xFFFFFFFF)))
    elif how in ("twice", "many"):
        changed += [
            replace(member, name=member.name if how == "twice" else b"%d.npy" % i)
            for i in range(1 if how == "twice" else 120)
        ]
    elif how == "name":
        changed[n] = replace(member, name=dice.of(_NAMES).encode("utf-8", "surrogatepass"))
    elif how in ("version", "flags", "method"):
        changed[n] = _said(member, how, dice.of(_NUMBERS))
    elif how in ("size", "packed", "crc", "offset"):
        changed[n] = _said(member, how, dice.of(SIZES + LARGE) & 0xFFFFFFFF)
    count = dice.of((0, 1, 65535)) if how == "count" else None
    return archive(changed, count, b"PK\5\6" + bytes(30) if how == "comment" else b""), f"zip, {how}"
