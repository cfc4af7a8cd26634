"""Still pictures: formats, modes, orientation, and files that are not what they seem."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.TiffImagePlugin
import pytest

from lp_ray.base.errors import InputTooLargeError, MissingInputError, TruncatedMediaError, UnreadableMediaError
from lp_ray.base.limits import Limits
from lp_ray.media.images import probe_image, read_image, write_image

LIMITS = Limits()
RED_BLUE = np.zeros((20, 30, 3), np.uint8)
RED_BLUE[:, :15], RED_BLUE[:, 15:] = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "JPEG", "WEBP"])
def test_each_format_reads_back_whatever_its_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.dat"
    lossless = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    PIL.Image.fromarray(RED_BLUE).save(path, kind, **lossless)
    info = probe_image(path, LIMITS)
    assert (info.width, info.height, info.format) == (30, 20, kind)
    assert np.abs(read_image(path, LIMITS).astype(int) - RED_BLUE)[:, [3, 27]].max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_in_header_and_pixels(orientation: int, tmp_path: Path) -> None:
    upright = np.zeros((20, 30, 3), np.uint8)
    upright[:10, :15] = 255  # a white top left corner
    # How a camera stores the upright picture for each EXIF orientation.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    path = tmp_path / "picture.png"
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    info = probe_image(path, LIMITS)
    assert (info.width, info.height) == (30, 20)
    assert np.array_equal(read_image(path, LIMITS), upright)


def test_grey_palette_sixteen_bit_alpha_and_cmyk_become_rgb(tmp_path: Path) -> None:
    path = tmp_path / "picture.tiff"
    grey = np.linspace(0, 255, 600).astype(np.uint8).reshape(20, 30)
    as_rgb = np.repeat(grey[..., None], 3, axis=2)
    for picture in (
        PIL.Image.fromarray(grey),
        PIL.Image.fromarray(grey).convert("P"),
        PIL.Image.fromarray(grey.astype(np.uint16) * 257),
    ):
        picture.save(path)
        assert np.array_equal(read_image(path, LIMITS), as_rgb), picture.mode
    clear = np.dstack([RED_BLUE, np.full((20, 30), 255, np.uint8)])
    clear[:, 15:, 3] = 0
    PIL.Image.fromarray(clear).save(path)
    seen = read_image(path, LIMITS)
    assert (seen[:, :15] == (255, 0, 0)).all()
    assert (seen[:, 15:] == 255).all()
    PIL.Image.fromarray(RED_BLUE).convert("CMYK").save(path)
    assert np.abs(read_image(path, LIMITS).astype(int) - RED_BLUE).max() <= 2
    PIL.Image.fromarray(grey.astype(np.float32)).save(path)
    with pytest.raises(UnreadableMediaError, match="floating-point"):
        read_image(path, LIMITS)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    """30,000 x 30,000 in a few hundred bytes: the pixels are never unpacked."""
    path = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(1000)))
        + _chunk(b"IEND", b"")
    )
    for read in (probe_image, read_image):
        with pytest.raises(InputTooLargeError, match="30000 x 30000 pixels; max_pixels is 50,000,000"):
            read(path, LIMITS)


def test_what_is_no_picture_says_so(tmp_path: Path) -> None:
    path = tmp_path / "named.jpg"
    with pytest.raises(MissingInputError):
        read_image(path, LIMITS)
    for content, reason in (
        (b"", "empty"),
        (b"text\n" * 200, "not a picture"),
        (b"GIF89a" + bytes(600), "damaged GIF"),
    ):
        path.write_bytes(content)
        for read in (probe_image, read_image):
            with pytest.raises(UnreadableMediaError, match=rf"named\.jpg: .*{reason}"):
                read(path, LIMITS)


def test_a_tag_of_another_type_is_damage(tmp_path: Path) -> None:
    """A TIFF whose XMP (tag 700) is a number: Pillow takes it for text, and its TypeError is the picture's fault."""
    path = tmp_path / "a.tif"
    notes = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    notes[274], notes[266] = 6, 1
    PIL.Image.fromarray(RED_BLUE).save(path, tiffinfo=notes, compression="tiff_deflate")
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<HH", 266, 3))
    data[at : at + 2] = struct.pack("<H", 700)
    path.write_bytes(data)
    with pytest.raises(UnreadableMediaError, match="damaged picture"):
        read_image(path, LIMITS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_cut_short_is_truncated(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "cut"
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    PIL.Image.fromarray(noise).save(path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(TruncatedMediaError, match="ends early"):
        read_image(path, LIMITS)


def test_a_written_picture_reads_back(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", RED_BLUE)
    assert np.array_equal(read_image(tmp_path / "a.png", LIMITS), RED_BLUE)


def test_real_portraits_read_at_the_size_of_their_header(media: Path) -> None:
    paths = sorted((media / "source").glob("*.jpg"))
    assert len(paths) >= 5
    for path in paths[:6]:
        info = probe_image(path, LIMITS)
        assert read_image(path, LIMITS).shape == (info.height, info.width, 3)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
