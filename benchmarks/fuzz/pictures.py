"""Pictures: broken in their bytes, in their blocks under true checksums, by what they announce, and by their name."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import skimage.data

from benchmarks.fuzz.kinds import Case, Samples
from benchmarks.fuzz.mutations import LARGE, SIZES, Dice, chunk, mutate, packed_zeros
from benchmarks.fuzz.names import name
from lp_ray.base.limits import Limits
from lp_ray.face.framing import SourceFraming
from lp_ray.media.clip import open_footage
from lp_ray.media.sniff import moves
from lp_ray.stages.media import read_picture

_ENDINGS = (".jpg", ".png", ".webp", ".bmp", ".tif", ".avif", ".gif", "", ".heic", ".mp4")
_PNG = b"\x89PNG\r\n\x1a\n"
_SIZES = ((1, 1), (0, 1), (1 << 31, 1), (65535, 65535), (7000, 7000), (100_000, 500), (1 << 30, 1 << 30))
"""Width and height that a header may announce."""
_SCRIPTS = (
    *(b"<!doctype html><script>fetch('/')</script>", b"<?php system('touch CANARY'); ?>", b"#!/bin/sh\ntouch CANARY\n"),
    *(
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        b"\x7fELF" + bytes(200),
        b"",
    ),
    *(
        b"push graphic-context\nimage over 0,0 0,0 'ephemeral:/etc/passwd'\n",
        b"%!PS\n(CANARY) (w) file\n",
        b"\0" * 5000,
    ),
    *(
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"P6 99999999 99999999 255\n",
    ),
)


class Pictures:
    """Portraits, read in the decoder's child."""

    def make_samples(self, folder: Path) -> None:
        picture = PIL.Image.fromarray(skimage.data.astronaut()[0:384:6, 80:368:6])
        profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
        exif = PIL.Image.Exif()
        exif[0x0112], exif[0x010E], exif[0x0132] = 6, "a portrait", "2026:01:01 00:00:00"
        moving = [picture.rotate(angle) for angle in (0, 90, 180)]
        made: dict[str, tuple[PIL.Image.Image, dict[str, object]]] = {
            "plain.jpg": (picture, {"quality": 90}),
            "progressive.jpg": (picture, {"progressive": True, "exif": exif, "icc_profile": profile}),
            "cmyk.jpg": (picture.convert("CMYK"), {}),
            "grey.png": (picture.convert("L"), {}),
            "profile.png": (picture, {"icc_profile": profile, "exif": exif}),
            "palette.png": (picture.convert("P"), {"transparency": 3}),
            "deep.png": (PIL.Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257), {}),
            "alpha.webp": (picture.convert("RGBA"), {"exif": exif}),
            "lossless.webp": (picture, {"lossless": True, "icc_profile": profile}),
            "plain.bmp": (picture, {}),
            "packed.tif": (picture, {"compression": "tiff_lzw"}),
            "deflated.tif": (picture, {"compression": "tiff_deflate", "exif": exif}),
            "jpeg.tif": (picture, {"compression": "jpeg"}),
            "plain.avif": (picture, {"icc_profile": profile, "exif": exif, "max_threads": 1, "codec": "aom"}),
            "one.gif": (picture, {}),
        }
        for where, (image, options) in made.items():
            image.save(folder / where, **options)  # type: ignore[arg-type] # Pillow's are by format
        for where in ("moving.webp", "moving.png", "moving.gif"):
            moving[0].save(folder / where, save_all=True, append_images=moving[1:], duration=40)

    def make(self, dice: Dice, samples: Samples) -> Case:
        chosen = dice.of(list(samples))
        data, ending = samples[chosen], Path(chosen).suffix
        path = name(dice, ending if dice.chance(0.8) else dice.of(_ENDINGS))
        if dice.chance(0.03):
            data = samples[chosen := dice.of([which for which in samples if not which.startswith("moving")])]
            path = name(dice, Path(chosen).suffix)
            return Case({path: data}, path, f"{chosen} as it is", sound=True)
        if chosen.endswith(".png") and dice.chance(0.6):
            data, how = _chunks(data, dice)
        elif chosen.endswith(".tif") and dice.chance(0.6):
            data, how = _directory(data, dice)
        elif dice.chance(0.08):
            data, how = _announced(dice)
        elif dice.chance(0.06):
            data, how = dice.of(_SCRIPTS), "a script"
        else:
            data, how = mutate(data, dice, list(samples.values()))
        return Case({path: data}, path, f"{chosen}: {how}")

    def read(self, path: Path, case: Case, output: Path) -> None:
        """As the plan looks at it, as a source's stage and as a driving's one."""
        limits = Limits()
        moves(path)
        read_picture(str(path), SourceFraming(), limits, stated=bool(len(case.how) % 2))
        footage = open_footage(path, limits)
        if footage.fps <= Fraction(0):
            raise AssertionError("a rate of 0")
        for _ in footage.frames():
            pass


def _chunks(data: bytes, dice: Dice) -> tuple[bytes, str]:
    """Change a PNG's chunks under true checksums, or add hostile ones."""
    chunks, at = [], len(_PNG)
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    how = dice.of(("content", "content", "type", "order", "size", "add", "bomb"))
    n = dice.below(len(chunks))
    kind, content = chunks[n]
    if how == "content" and content:
        chunks[n] = (kind, mutate(content, dice, [other for _, other in chunks if other])[0])
    elif how == "type":
        chunks[n] = (
            dice.of((b"IHDR", b"IDAT", b"PLTE", b"acTL", b"fcTL", b"fdAT", b"tRNS", b"iCCP", b"eXIf")),
            content,
        )
    elif how == "order":
        chunks[n], chunks[0] = chunks[0], chunks[n]
    elif how == "size":
        header = struct.pack(">II", *dice.of(_SIZES)) + bytes(
            dice.of(((8, 2), (16, 6), (1, 0), (8, 3), (16, 0), (3, 9)))
        )
        chunks[0] = (b"IHDR", header + bytes([0, 0, dice.below(2)]))
    elif how == "add":
        chunks.insert(
            1,
            (
                dice.of((b"acTL", b"fcTL", b"tRNS", b"cHRM", b"gAMA", b"cICP", b"eXIf", b"PLTE", b"zTXt")),
                dice.bytes(dice.below(40)),
            ),
        )
    else:
        bomb = packed_zeros(dice.of((1 << 20, 80 << 20, 300 << 20)))
        kind = dice.of((b"iCCP", b"zTXt", b"iTXt", b"IDAT"))
        chunks.insert(1, (kind, (b"x\0\0" if kind != b"iTXt" else b"x\0\1\0\0\0") * (kind != b"IDAT") + bomb))
    return _PNG + b"".join(chunk(*pair) for pair in chunks), f"chunks, {how}"


def _directory(data: bytes, dice: Dice) -> tuple[bytes, str]:
    """Change an entry of a TIFF's directory: tag, type, count or value; or where the next directory stands."""
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    entry = at + 2 + 12 * dice.below(count)
    changed = bytearray(data)
    field = dice.of(("tag", "type", "count", "value", "value", "next", "entries"))
    if field in ("tag", "type"):
        place = entry + (0 if field == "tag" else 2)
        value = dice.of(
            (256, 257, 258, 259, 273, 277, 279, 338, 339, 34665, 700) if field == "tag" else tuple(range(16))
        )
        struct.pack_into(f"{order}H", changed, place, value)
    elif field == "entries":
        struct.pack_into(f"{order}H", changed, at, dice.of((0, 1, 65535, count - 1)))
    else:
        place = entry + (4 if field == "count" else 8) if field != "next" else at + 2 + 12 * count
        struct.pack_into(f"{order}I", changed, place, dice.of((*SIZES, at, 4, 8, len(data))))
    return bytes(changed), f"directory, {field}"


def _announced(dice: Dice) -> tuple[bytes, str]:
    """A few bytes that announce a picture of any size."""
    width, height = dice.of(_SIZES)
    kind = dice.of(("gif", "bmp", "webp", "jpeg", "tiff"))
    if kind == "gif":
        data = b"GIF89a" + struct.pack("<HHBBB", width & 0xFFFF, height & 0xFFFF, 0x80, 0, 0) + bytes(6)
        data += (
            b"," + struct.pack("<HHHHB", 0, 0, width & 0xFFFF, height & 0xFFFF, 0) + b"\x08\xff" + bytes(255) + b"\0;"
        )
    elif kind == "bmp":
        data = (
            b"BM"
            + struct.pack(
                "<IIIIiiHHIIiiII",
                dice.of(SIZES),
                0,
                54,
                40,
                width & 0x7FFFFFFF,
                -(height & 0x7FFFFFFF),
                1,
                dice.of((1, 8, 24, 32, 7)),
                dice.below(5),
                0,
                1,
                1,
                dice.of(SIZES),
                0,
            )
            + bytes(64)
        )
    elif kind == "webp":
        body = b"VP8X" + struct.pack("<II", 10, dice.below(256)) + (width & 0xFFFFFF).to_bytes(3, "little")
        body += (height & 0xFFFFFF).to_bytes(3, "little") + b"VP8 " + struct.pack("<I", dice.of(SIZES)) + bytes(30)
        data = b"RIFF" + struct.pack("<I", dice.of(SIZES)) + b"WEBP" + body
    elif kind == "jpeg":
        frame = struct.pack(">HBHHB", 17, 8, height & 0xFFFF, width & 0xFFFF, 3) + bytes(
            [1, 0x22, 0, 2, 17, 0, 3, 17, 0]
        )
        data = b"\xff\xd8\xff\xc0" + frame + b"\xff\xda\0\x0c\3\1\0\2\0\3\0\0?\0" + bytes(50) + b"\xff\xd9"
    else:
        tags = [
            (256, 4, width & 0xFFFFFFFF),
            (257, 4, height & 0xFFFFFFFF),
            (258, 3, 8),
            (259, 3, dice.of((1, 5, 8, 32773))),
            (262, 3, 1),
            (273, 4, 8),
            (277, 3, 1),
            (279, 4, dice.of(SIZES) & 0xFFFFFFFF),
        ]
        entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        data = (
            b"II*\0"
            + struct.pack("<IH", 8, len(tags))
            + entries
            + struct.pack("<I", dice.of((0, 8, LARGE[0] & 0xFFFF)))
        )
    return data, f"announced as {width} x {height}, {kind}"
