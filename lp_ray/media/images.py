"""Read still pictures as RGB, after a check of their header."""

from __future__ import annotations

import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import PIL.TiffImagePlugin

from lp_ray.base.arrays import Image
from lp_ray.base.errors import InputTooLargeError, TruncatedMediaError, UnreadableMediaError
from lp_ray.base.limits import Limits
from lp_ray.media.looks import FILMS, describe, is_heif
from lp_ray.media.profiles import to_srgb
from lp_ray.media.sniff import read_head

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "AVIF", "GIF")
_ORIENTATION = 0x0112  # EXIF 2.3 tag; 5 to 8 swap width and height
_WHITE = (255, 255, 255)
_GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error, KeyError, IndexError, OverflowError)
_EARLY_END = ("truncated", "broken data", "unexpected end", "not enough")  # in Pillow's messages
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)
_lock = threading.Lock()


@dataclass(frozen=True)
class ImageInfo:
    """Facts in a picture's header. Width and height are as shown, after EXIF orientation."""

    width: int
    height: int
    format: str
    mode: str


def probe_image(path: Path, limits: Limits) -> ImageInfo:
    """Read the header of a picture in one of FORMATS, which its content tells. No pixel is decoded.

    Raises MissingInputError, InputTooLargeError (bytes, pixels) or UnreadableMediaError.
    """
    with _opened(path, limits) as picture:
        width, height = picture.size
        with _pillow_alone():
            turned = picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        if turned:
            width, height = height, width
        return ImageInfo(width, height, picture.format or "", picture.mode)


def read_image(path: Path, limits: Limits, alpha: bool = False) -> Image:
    """Read a picture as sRGB uint8, H x W x 3, turned upright by its EXIF orientation.

    Its colour profile is applied (see `media.profiles`). Transparent pictures are laid over white; with `alpha`, any
    picture is a straight one instead, H x W x 4 (`media.alpha`). 16-bit grey keeps its high byte. Of several
    pages or frames, the first one is read. Raises what `probe_image` raises, and TruncatedMediaError if the pixels end
    early.
    """
    with _opened(path, limits) as picture:
        with _pillow_alone():
            picture.load()
            upright = PIL.ImageOps.exif_transpose(picture)
        return np.array(_to_rgb(upright, path, alpha), dtype=np.uint8)


def write_image(path: Path, picture: Image) -> None:
    """Write an RGB picture, H x W x 3 uint8, or a straight one (`media.alpha`), H x W x 4, in the format that the
    file's suffix names."""
    PIL.Image.fromarray(picture).save(path)


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[PIL.Image.Image]:
    read_head(path)
    size = path.stat().st_size
    if size > limits.max_bytes:
        raise InputTooLargeError(f"{path.name}: {size:,} bytes; max_bytes is {limits.max_bytes:,}")
    try:
        with warnings.catch_warnings(), _header(path) as picture:
            warnings.simplefilter("ignore")
            width, height = picture.size
            if width * height > limits.max_pixels:
                raise InputTooLargeError(f"{path.name}: {width} x {height} pixels; max_pixels is {limits.max_pixels:,}")
            yield picture
    except PIL.UnidentifiedImageError as error:
        raise UnreadableMediaError(f"{path.name}: {_refusal(path)}") from error
    except _DAMAGE as error:
        if any(word in str(error).lower() for word in _EARLY_END):
            raise TruncatedMediaError(f"{path.name}: the picture ends early ({error}); fetch it again") from error
        raise UnreadableMediaError(f"{path.name}: damaged picture ({error})") from error


@contextmanager
def _pillow_alone() -> Iterator[None]:
    """Stands around calls of Pillow, and nothing of ours: damaged blocks make it raise errors that have no common kind,
    such as the TypeError of a tag that should be text."""
    try:
        yield
    except (*_DAMAGE, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _header(path: Path) -> PIL.Image.Image:
    # Pillow's own limit would hide the size. Our limit is checked right after this, before any pixel.
    with _lock:
        bound, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        try:
            with _pillow_alone():
                return PIL.Image.open(path, formats=FORMATS)
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = bound


def _refusal(path: Path) -> str:
    """Return why Pillow cannot read a file."""
    head = read_head(path)
    if is_heif(head):
        return f"{describe(head)}, which is not read here: convert it to JPEG, PNG or AVIF"
    known = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if known == "TIFF":
        return f"a TIFF picture of a kind that is not read ({_tiff_kind(path)}); save it as RGB or grey of 8 or 16 bits"
    if known:
        return f"a damaged {known} picture, or one of a kind that is not read; save it anew"
    expected = f"not a picture of the formats {', '.join(FORMATS)}, nor a film ({FILMS})"
    return f"{expected}; by its content it looks like {describe(head)}"


def _tiff_kind(path: Path) -> str:
    """Name samples and compression of the first picture of a TIFF file (TIFF 6.0, tags 258, 259, 277, 339)."""
    try:
        with path.open("rb") as file:
            directory = PIL.TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(directory.next)
            directory.load(file)
        samples = directory.get(277, 1)
        formats, bits = directory.get(339, (1,)), directory.get(258, (1,))
        names = {1: "integer", 2: "signed", 3: "floating-point"}
        kind = f"{samples} x {bits[0]} bits, {names.get(formats[0], 'unknown')}"
        return kind + (f", compression {directory[259]}" if directory.get(259, 1) != 1 else "")
    except (*_DAMAGE, TypeError):
        return "its directory is damaged"


def _to_rgb(picture: PIL.Image.Image, path: Path, alpha: bool) -> PIL.Image.Image:
    """Return a picture in sRGB: RGB, or RGBA if its transparency is to be kept."""
    if picture.mode == "F":
        raise UnreadableMediaError(f"{path.name}: a picture of floating-point pixels; save it with 8 or 16 bits")
    if picture.mode in _GREY_16:
        grey = np.asarray(picture).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise UnreadableMediaError(f"{path.name}: 32-bit grey values; save it with 8 or 16 bits")
        about = picture.info
        picture = PIL.Image.fromarray((grey >> 8).astype(np.uint8))
        picture.info = about
    if picture.has_transparency_data:
        layers = to_srgb(picture.convert("RGBA"), path.name)
        if alpha:
            return layers
        paper = PIL.Image.new("RGBA", layers.size, (*_WHITE, 255))
        return PIL.Image.alpha_composite(paper, layers).convert("RGB")
    if picture.mode not in ("L", "CMYK"):
        picture = picture.convert("RGB")
    return to_srgb(picture, path.name).convert("RGB").convert("RGBA" if alpha else "RGB")
