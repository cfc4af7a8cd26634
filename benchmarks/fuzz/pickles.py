"""Pickles by hand: what runs, what grows, what never ends, and what is only nearly what it should be."""

from __future__ import annotations

import pickle
import pickletools
import struct
from typing import Any

import numpy as np

from benchmarks.fuzz.mutations import Dice

_CALLS = (
    (b"os", b"system", b"touch CANARY"),
    (b"posix", b"system", b"touch CANARY"),
    (b"subprocess", b"check_output", b"touch CANARY"),
    (b"builtins", b"eval", b"open('CANARY', 'w')"),
    (b"builtins", b"exec", b"open('CANARY', 'w')"),
    (b"builtins", b"__import__", b"antigravity"),
    (b"numpy", b"load", b"/etc/passwd"),
    (b"numpy.f2py.crackfortran", b"myeval", b"open('CANARY', 'w')"),
    (b"torch.hub", b"load", b"x"),
    (b"torch.serialization", b"load", b"CANARY"),
    (b"pathlib", b"Path.touch", b"CANARY"),
    (b"shutil", b"rmtree", b"."),
    (b"numpy.core.multiarray", b"_reconstruct", b"x"),
    (b"numpy", b"dtype", b"O8"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**40, 1e308, float("nan"), float("inf"), "", "x" * 1000, b"bytes", [], {}, (), [[]] * 50),
    *(
        np.zeros(0),
        np.zeros((0, 3)),
        np.zeros((1, 21, 3), object),
        np.array("text"),
        np.zeros(2, "M8[s]"),
        np.zeros(3, "c16"),
    ),
    *(
        np.zeros((1, 63), np.float32),
        np.full((1, 1), np.nan),
        np.float64(3),
        np.int64(7),
        np.zeros((1,) * 20),
        np.zeros(4, "V3"),
    ),
    *(np.zeros((1, 1), ">f4"), np.zeros((2, 2), order="F"), 2**70, -(2**70), complex(1, 2), range(3), {1, 2}, slice(1)),
)
"""What may stand where an array, a number or a list belongs."""


def call(dice: Dice) -> bytes:
    """Return a pickle that calls something when it is read by pickle itself."""
    module, what, argument = dice.of(_CALLS)
    if dice.chance(0.5):
        return b"\x80\x02c" + module + b"\n" + what + b"\nX" + struct.pack("<I", len(argument)) + argument + b"\x85R."
    return b"(S'" + argument.replace(b"'", b'"') + b"'\ni" + module + b"\n" + what + b"\n."


def growing(dice: Dice) -> tuple[bytes, str]:
    """Return a small pickle that asks for much: depth, copies, sizes, places."""
    how = dice.of(("deep", "deep tuples", "laughs", "long", "memo", "digits", "many", "itself", "keys", "frames"))
    if how == "deep":
        return b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".", how
    if how == "deep tuples":
        return b"\x80\x04)" + b"\x85" * dice.of((500, 50_000)) + b".", how
    if how == "laughs":
        return b"\x80\x04]" + b"".join(b"\x94(" + b"h%c" % i * 10 + b"l" for i in range(30)) + b".", how
    if how == "long":
        return b"\x80\x04" + dice.of((b"\x8e", b"\x8d", b"\x96")) + struct.pack(
            "<Q", 1 << dice.of((31, 40, 62))
        ) + b"x.", how
    if how == "memo":
        return b"\x80\x04]" + b"r" + struct.pack("<I", dice.of((1 << 20, 1 << 30, (1 << 32) - 1))) + b".", how
    if how == "digits":
        return dice.of((b"I", b"L")) + b"9" * dice.of((5000, 200_000)) + dice.of((b"", b"L")) + b"\n.", how
    if how == "many":
        return b"\x80\x04(" + dice.of((b"}", b"]", b"N", b")")) * 300_000 + b"l.", how
    if how == "itself":
        return b"\x80\x04]\x94h\0a.", how
    if how == "keys":
        return b"\x80\x04}\x94(" + b"".join(b"K%cN" % i for i in range(200)) + b"h\0Nu.", how
    return b"\x80\x04" + b"\x95" + struct.pack("<Q", dice.of((0, 1 << 40, (1 << 64) - 1))) + b"N.", how


def strange(content: dict[Any, Any], dice: Dice) -> tuple[bytes, str]:
    """Return a template's content with one place of it changed, pickled in any protocol."""
    whole = dict(content)
    key = dice.of(list(whole))
    if key == "motion" and dice.chance(0.8):
        records = [dict(record) for record in whole["motion"]]
        record = dice.of(records)
        name = dice.of(list(record))
        record[name] = dice.of(VALUES)
        if dice.chance(0.2):
            records.append(dice.of(VALUES))
        whole["motion"], key = records, f"motion.{name}"
    elif dice.chance(0.2):
        del whole[key]
    else:
        whole[key] = dice.of(VALUES)
    return pickle.dumps(whole, dice.of((0, 2, 3, 4, 4, 4, 5))), f"content, {key}"


def opcodes(data: bytes, dice: Dice) -> tuple[bytes, str]:
    """Change opcodes where they stand: leave one out, say it twice, put another in its place."""
    places = [place for _, _, place in pickletools.genops(data) if place is not None]
    changed = data
    for _ in range(dice.of((1, 1, 2, 5))):
        n = dice.below(len(places) - 1)
        start, stop = places[n], places[n + 1]
        how = dice.of(("without", "twice", "other"))
        given = {
            "without": b"",
            "twice": data[start:stop] * 2,
            "other": bytes([dice.below(256)]) + data[start + 1 : stop],
        }[how]
        changed = data[:start] + given + data[stop:]
    return changed, "opcodes"
