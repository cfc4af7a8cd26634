"""Chance that anyone can repeat, and what it does to bytes: the same for every kind of file."""

from __future__ import annotations

import gzip
import string
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import numpy as np

T = TypeVar("T")
Order = Literal["little", "big"]
ORDERS: tuple[Order, ...] = ("little", "big")

SIZES = (0, 1, 2, 7, 255, 0x7FFF, 0xFFFF, 0x10000, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
LARGE = (1 << 31, 1 << 32, (1 << 40) + 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
"""What is written where a size, a count or an offset may stand."""
_MOST_GROWN = 1 << 16
"""Bytes that a mutation adds at most: kept inputs are small."""


class Dice:
    """Chance of one input: the same for the same seed and index, on every machine."""

    def __init__(self, *seed: int) -> None:
        self._random = np.random.Generator(np.random.PCG64(seed))

    def below(self, end: int) -> int:
        """Return a whole number from 0 to `end` - 1."""
        return int(self._random.integers(max(end, 1)))

    def size(self, most: int) -> int:
        """Return a number from 1 to `most`, small ones as often as large ones."""
        return min(most, 1 + int(2 ** (self._random.random() * max(most, 1).bit_length())))

    def chance(self, share: float) -> bool:
        return bool(self._random.random() < share)

    def of(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def some(self, choices: Sequence[T], most: int) -> list[T]:
        """Return one to `most` of the choices, in their order."""
        count = min(1 + self.below(most), len(choices))
        return [choices[i] for i in sorted(self._random.permutation(len(choices))[:count].tolist())]

    def number(self) -> float:
        return float(self._random.normal())

    def bytes(self, count: int) -> bytes:
        return self._random.bytes(count)

    def text(self, most: int) -> str:
        """Return a text of letters of all kinds, half of them plain."""
        letters = string.printable + "\0\x7f\u00e4\u0434\u4e2d\u05d0\u202e\u200b\ufeff\U0001f600\u0301"
        return "".join(letters[self.below(len(letters))] for _ in range(self.below(most) + 1))


Mutation = Callable[[bytes, Dice, Sequence[bytes]], bytes]


def flip_bits(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.size(64)):
        changed[dice.below(len(changed))] ^= 1 << dice.below(8)
    return bytes(changed)


def truncate(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    return data[: dice.below(len(data))]


def cut_a_little(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    return data[: -dice.size(64)]


def overwrite(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    at, count = dice.below(len(data)), dice.size(512)
    fill = dice.of((bytes(count), b"\xff" * count, dice.bytes(count)))
    return data[:at] + fill + data[at + count :]


def remove(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    at = dice.below(len(data))
    return data[:at] + data[at + dice.size(4096) :]


def repeat(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    at, count = dice.below(len(data)), dice.size(4096)
    times = 1 + dice.below(max(1, min(16, _MOST_GROWN // count)))
    return data[:at] + data[at : at + count] * times + data[at:]


def swap(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    a, b = sorted((dice.below(len(data)), dice.below(len(data))))
    count = dice.size(max(1, b - a))
    return data[:a] + data[b : b + count] + data[a + count : b] + data[a : a + count] + data[b + count :]


def splice(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    """The head of one file before the tail of another."""
    other = dice.of(others) if others else data
    head = dice.of((dice.size(64), dice.below(len(data))))
    return data[:head] + other[min(head, len(other)) if dice.chance(0.5) else dice.below(len(other)) :]


def prepend(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    other = dice.of(others) if others else data
    return other[: dice.size(1024)] + data


def append(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    other = dice.of(others) if others else data
    return data + dice.of((other[:_MOST_GROWN], dice.bytes(dice.size(1024)), bytes(dice.size(4096))))


def lie_of_size(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    """Write a size that is none into a field, by preference near the start, where headers are."""
    width = dice.of((1, 2, 4, 4, 8))
    at = dice.below(min(len(data), dice.of((64, 512, 4096, len(data)))))
    value = dice.of(SIZES + (LARGE if width == 8 else ())) & ((1 << 8 * width) - 1)
    return data[:at] + value.to_bytes(width, dice.of(ORDERS)) + data[at + width :]


def lie_near(data: bytes, dice: Dice, others: Sequence[bytes]) -> bytes:
    """Change a number by a little: off by one is what checks forget."""
    at, width = dice.below(max(1, len(data) - 8)), dice.of((1, 2, 4))
    order = dice.of(ORDERS)
    value = int.from_bytes(data[at : at + width], order) + dice.of((-2, -1, 1, 2, 8))
    return data[:at] + (value & ((1 << 8 * width) - 1)).to_bytes(width, order) + data[at + width :]


ANY: tuple[Mutation, ...] = (
    *(flip_bits, flip_bits, flip_bits, truncate, cut_a_little, overwrite, remove, repeat, swap, splice),
    *(prepend, append, lie_of_size, lie_of_size, lie_of_size, lie_near, lie_near),
)


def mutate(
    data: bytes, dice: Dice, others: Sequence[bytes] = (), choices: Sequence[Mutation] = ANY
) -> tuple[bytes, str]:
    """Do one to three things to a file; return it with their names."""
    names = []
    for _ in range(dice.of((1, 1, 1, 2, 3))):
        chosen = dice.of(choices)
        data = chosen(data or b"\0", dice, others)
        names.append(chosen.__name__)
    return data, ", ".join(names)


def mutate_text(data: bytes, dice: Dice, others: Sequence[bytes] = ()) -> tuple[bytes, str]:
    """Change a text where it has meaning: numbers, quotes, brackets, separators, line ends, encoding."""
    text = data.decode("utf-8", "surrogateescape")
    name = dice.of(("number", "number", "sign", "sign", "insert", "nest", "encoding", "nul", "long line"))
    at = dice.below(len(text) + 1)
    if name == "number":
        digits = [i for i, letter in enumerate(text) if letter.isdigit()]
        at = dice.of(digits) if digits else at
        given = dice.of(("-1", "0", "1e999", "NaN", "Infinity", "-0", "9" * 30, "1e-400", "0x10", '"', "null", "true"))
        text = text[:at] + given + text[at + 1 :]
    elif name == "sign":
        signs = [i for i, letter in enumerate(text) if letter in "\"'{}[]:,;\n\r\t#="]
        at = dice.of(signs) if signs else at
        text = (
            text[:at]
            + dice.of(("", '"', "'", "{", "}", "[", "]", ":", ",", ";", "\n", "\r", "\t", "\\"))
            + text[at + 1 :]
        )
    elif name == "insert":
        text = text[:at] + dice.text(40) + text[at:]
    elif name == "nest":
        text = text[:at] + dice.of(("[", '{"a":', "(", '"\\u005b')) * dice.of((100, 3000, 200_000)) + text[at:]
    elif name == "encoding":
        encoding = dice.of(("utf-16", "utf-32", "latin-1", "utf-8-sig", "utf-7", "cp037"))
        return text.encode(encoding, "replace"), f"as {encoding}"
    elif name == "nul":
        text = text[:at] + dice.of(("\0", "\udc80", "\udcff\udcfe", "\x1a", "\ufeff", "\u2028", "\x85")) + text[at:]
    else:
        text = text[:at] + dice.of(("x", '"', "é", " ")) * dice.of((1 << 17, (1 << 20) + 5)) + text[at:]
    return text.encode("utf-8", "surrogateescape"), name


def packed_zeros(n_bytes: int) -> bytes:
    """Return a zlib stream of so many zeros, a thousandth as long."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    pieces = [packer.compress(block[: min(1 << 20, n_bytes - done)]) for done in range(0, n_bytes, 1 << 20)]
    return b"".join([*pieces, packer.flush()])


def gzip_bomb(start: bytes, n_bytes: int, fill: bytes) -> bytes:
    """Return a gzip file that unpacks to `start` and then so many bytes of `fill`; members follow one another."""
    block = gzip.compress(fill * ((1 << 20) // len(fill)), 9, mtime=0)
    return gzip.compress(start, mtime=0) + block * (n_bytes >> 20)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a PNG chunk with a true checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
