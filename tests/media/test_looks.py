"""Messages for what is no picture and no film: what was expected, and what it looks like instead."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from lp_ray.base.errors import MissingInputError, TruncatedMediaError, UnreadableMediaError
from lp_ray.media.clip import open_footage
from lp_ray.media.images import FORMATS, read_image
from lp_ray.media.looks import describe
from lp_ray.media.probe import probe_video

from .cards import LIMITS
from .ranges import make_coded

PAGE = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>"
LOOKS = {
    "a web page (<!DOCTYPE html>": PAGE,
    "an XML text, perhaps a store's answer": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "a JSON text": b'{"error": "expired"}',
    "a text (hello there)": b"hello\nthere\n",
    "an SVG drawing": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3",
    "a gzip archive": gzip.compress(b"x" * 100),
    "a ZIP archive": b"PK\x03\x04" + bytes(40),
    "a WAV sound": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "an HEIC picture": b"\x00\x00\x00\x18ftypheic" + bytes(300),
    "nothing but zero bytes": bytes(2000),
    "none of the kinds that are known here": bytes(range(1, 256)) * 3,
    "a Photoshop document": b"8BPS\x00\x01" + bytes(100),
    "a JPEG XL picture": b"\xff\x0a" + bytes(range(200)),
    "a text (\u043f\u0440\u0438\u0432\u0435\u0442)": "\ufeff\u043f\u0440\u0438\u0432\u0435\u0442".encode("utf-16"),
}


@pytest.mark.parametrize("words", LOOKS)
@pytest.mark.parametrize("read", [probe_video, read_image, open_footage])
def test_what_is_expected_and_what_it_looks_like(read: Callable[..., object], words: str, tmp_path: Path) -> None:
    path = tmp_path / "named.mp4"
    path.write_bytes(LOOKS[words])
    with pytest.raises(UnreadableMediaError) as error:
        read(path, LIMITS)
    message = str(error.value)
    assert message.startswith("named.mp4: ") and words in message
    if "HEIC" not in words:
        assert "film" in message
        assert read is probe_video or all(kind in message for kind in FORMATS)


def test_an_empty_file_a_folder_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    for read in (probe_video, read_image):
        with pytest.raises(UnreadableMediaError, match=r"empty\.jpg: the file is empty \(0 bytes\)"):
            read(tmp_path / "empty.jpg", LIMITS)
        with pytest.raises(UnreadableMediaError, match=r"cannot be opened .*directory"):
            read(tmp_path, LIMITS)
        with pytest.raises(MissingInputError, match=r"no\.jpg"):
            read(tmp_path / "no.jpg", LIMITS)


def test_a_float_tiff_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "render.tiff"
    PIL.Image.fromarray(np.zeros((8, 8), np.float32)).save(path)
    with pytest.raises(UnreadableMediaError, match=r"render\.tiff: .*floating-point pixels; save it with 8 or 16 bits"):
        read_image(path, LIMITS)
    path.write_bytes(_three_floats())
    with pytest.raises(UnreadableMediaError, match=r"TIFF .*3 x 32 bits, floating-point.*save it as RGB"):
        read_image(path, LIMITS)


def _three_floats() -> bytes:
    """A TIFF of 2 x 2 pixels, three 32-bit floats each (TIFF 6.0)."""
    entries = [
        (256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 3, 134), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 146),
        (277, 3, 1, 3), (278, 3, 1, 2), (279, 4, 1, 48), (339, 3, 3, 140),
    ]  # fmt: skip
    head = b"II*\0" + (8).to_bytes(4, "little") + len(entries).to_bytes(2, "little")
    for tag, kind, count, value in entries:
        head += tag.to_bytes(2, "little") + kind.to_bytes(2, "little")
        head += count.to_bytes(4, "little") + value.to_bytes(4, "little")
    head += bytes(4)
    assert len(head) == 134
    return head + (32).to_bytes(2, "little") * 3 + (3).to_bytes(2, "little") * 3 + np.zeros(12, "<f4").tobytes()


def test_a_damaged_picture_is_no_strange_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"rubbish" * 30)
    with pytest.raises((UnreadableMediaError, TruncatedMediaError), match=r"damaged|ends early"):
        read_image(path, LIMITS)


CUT = {
    "cut.mp4": ["-c:v", "libx264", "-movflags", "+faststart"],
    "cut.mov": ["-c:v", "mjpeg"],
    "cut.mkv": ["-c:v", "libx264"],
    "cut.avi": ["-c:v", "mpeg4"],
    "cut.webm": ["-c:v", "libvpx"],
    "cut.flv": ["-c:v", "flv"],
}


@pytest.mark.parametrize("name", CUT)
def test_what_is_cut_short_is_told_from_what_cannot_be_read(name: str, tmp_path: Path) -> None:
    whole = make_coded(
        tmp_path / f"whole.{name.split('.')[1]}", [k % 1000 for k in range(200)], [*CUT[name], "-g", "12"]
    )
    path = tmp_path / name
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with pytest.raises(TruncatedMediaError, match="announces"):
        probe_video(path, LIMITS)


def test_words_for_the_beginnings_of_files() -> None:
    assert describe(b"\xff\xd8\xff\xe0") == "a JPEG picture"
    assert describe(b"\x00\x00\x00\x20ftypisom") == "an MP4 or QuickTime film"
    assert describe(b"\x00\x00\x00\x20ftypcrx ") == "a camera's raw picture (CR3)"
    assert describe(b"RIFF\x00\x00\x00\x00WEBP") == "a WebP picture"
