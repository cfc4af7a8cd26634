"""Colour profiles made by code (ICC.1:2022): matrix profiles of RGB and grey, and a table for CMYK."""

from __future__ import annotations

import itertools
import struct

import numpy as np
from numpy.typing import NDArray

_D50 = (0.9642, 1.0, 0.8249)
# Primaries and white as CIE xy; the gamma of the coding.
GAMUTS = {
    "Display P3": (((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), (0.3127, 0.3290), 2.2),
    "Adobe RGB": (((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), (0.3127, 0.3290), 2.19921875),
    "ProPhoto RGB": (((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), (0.3457, 0.3585), 1.8),
    "sRGB": (((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)), (0.3127, 0.3290), 2.2),
}
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def rgb_to_xyz(name: str) -> NDArray[np.float64]:
    """3 x 3: linear RGB of a gamut to XYZ under D50."""
    primaries, white, _ = GAMUTS[name]
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    x, y = white
    seen = np.array([x / y, 1, (1 - x - y) / y])
    matrix = columns * np.linalg.solve(columns, seen)
    cones = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ seen))
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ cones @ _BRADFORD @ matrix
    return adapted


def rgb_profile(name: str) -> bytes:
    """A profile of one of GAMUTS."""
    matrix, gamma = rgb_to_xyz(name), GAMUTS[name][2]
    colours = {tag: _xyz(matrix[:, i]) for i, tag in enumerate(("rXYZ", "gXYZ", "bXYZ"))}
    return _profile("mntr", "RGB ", "XYZ ", name, {**colours, **dict.fromkeys(("rTRC", "gTRC", "bTRC"), _gamma(gamma))})


def grey_profile(gamma: float) -> bytes:
    """A profile of grey values with this gamma."""
    return _profile("mntr", "GRAY", "XYZ ", f"grey {gamma}", {"kTRC": _gamma(gamma)})


def cmyk_profile(paper: tuple[float, float, float]) -> bytes:
    """A printer's profile on paper of a Lab colour; ink takes away its light, and C, M and Y their colour."""
    table = bytearray()
    for c, m, y, k in itertools.product((0, 1), repeat=4):  # the last channel varies fastest
        light = paper[0] * (1 - k) * (1 - 0.3 * c) * (1 - 0.35 * m) * (1 - 0.05 * y)
        a = (paper[1] - 30 * c + 60 * m) * (1 - k)
        b = (paper[2] - 35 * c - 5 * m + 80 * y) * (1 - k)
        table += bytes([round(light * 2.55), round(a + 128), round(b + 128)])
    same = bytes(range(256))
    head = struct.pack(">4xBBBx", 4, 3, 2) + b"".join(
        struct.pack(">i", v) for v in np.eye(3, dtype=int).ravel() * 65536
    )
    lut = b"mft1" + head + same * 4 + bytes(table) + same * 3
    return _profile("prtr", "CMYK", "Lab ", "inks", {"A2B0": lut, "A2B1": lut})


def _profile(kind: str, space: str, pcs: str, name: str, tags: dict[str, bytes]) -> bytes:
    text = name.encode()
    described = b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 78)
    every = {"desc": described, "cprt": b"text" + bytes(4) + b"none\0", "wtpt": _xyz(_D50), **tags}
    table, data = struct.pack(">I", len(every)), b""
    start = 132 + 12 * len(every)
    for tag, body in every.items():
        padded = body + bytes(-len(body) % 4)
        table += tag.encode() + struct.pack(">II", start + len(data), len(body))
        data += padded
    size = start + len(data)
    header = struct.pack(">I4x", size) + bytes([2, 0x40, 0, 0]) + kind.encode() + space.encode() + pcs.encode()
    header += bytes(12) + b"acsp" + bytes(28) + b"".join(struct.pack(">i", round(v * 65536)) for v in _D50)
    return header + bytes(128 - len(header)) + table + data


def _xyz(values: object) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(float(v) * 65536)) for v in np.asarray(values))


def _gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))
