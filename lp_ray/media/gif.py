"""Turn a finished video into a looping GIF with its own palette, every frame and the correct length.

A GIF shows each frame for a whole number of hundredths of a second. At other rates the delays alternate (3, 3, 4, ...
for 30 frames per second), so that each frame comes within half a hundredth of its time and the total length is kept.
Players show delays below 2 slowly, so faster videos are resampled to 50 frames per second.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from lp_ray.base.errors import EngineOutputError
from lp_ray.base.limits import OURS
from lp_ray.media import ffmpeg
from lp_ray.media.decode import frame_size
from lp_ray.media.facts import VideoFacts, content_facts
from lp_ray.media.filters import SCALER
from lp_ray.media.probe import probe_video

MAX_FPS = Fraction(50)
_TIMEOUT_S = 3600.0
_PALETTE_USE = "paletteuse=dither=bayer:bayer_scale=3"  # dither depends on the place, so still parts do not flicker

# Blocks of a GIF file (GIF89a specification, sections 18 to 27).
_HEADER_BYTES = 13
_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_GRAPHIC_CONTROL = 0xF9


@dataclass(frozen=True)
class GifContent:
    """The facts in a GIF's blocks: size in pixels, and the delay of each frame in hundredths of a second."""

    width: int
    height: int
    delays: tuple[int, ...]


def make_gif(video: Path, output: Path, fps: Fraction, max_dim: int | None = None) -> VideoFacts:
    """Write a finished video of rate `fps` as a GIF that loops forever; return its facts.

    All frames are kept up to 50 per second. `max_dim` shrinks the longest side to so many pixels. The video is read
    twice, first for one palette of all frames, so that memory does not grow with its length. The facts give the mean
    rate and the length that the file's delays add up to. Raises InputError if ffmpeg fails, EngineOutputError if the
    GIF has wrong frames, size or length. No file is left then.
    """
    info = probe_video(video, OURS)
    rate = min(fps, MAX_FPS)
    resample = f"fps={rate}," if rate < fps else ""
    width, height = frame_size(info, max_dim)
    pictures = f"{resample}scale={width}:{height}:flags={SCALER},format=rgb24"
    opened = [*ffmpeg.input_args(video, "mov"), "-filter_complex_threads", "1"]
    try:
        with tempfile.TemporaryDirectory(prefix="lp_ray-gif-") as folder:
            palette = Path(folder) / "palette.png"
            made = ["-frames:v", "1", "-update", "1", "-f", "image2", "-y", ffmpeg.file_url(palette)]
            graph = ["-filter_complex", f"[0:v:0]{pictures},palettegen"]
            ffmpeg.run([*opened, *graph, *made], _TIMEOUT_S, f"choosing the colours of {output.name}")
            opened += ffmpeg.input_args(palette, "png_pipe")
            graph = ["-filter_complex", f"[0:v:0]{pictures}[p];[p][1:v:0]{_PALETTE_USE}"]
            written = ["-fps_mode", "passthrough", "-loop", "0", "-f", "gif", "-y", ffmpeg.file_url(output)]
            ffmpeg.run([*opened, *graph, *written], _TIMEOUT_S, f"writing {output.name}")
        return _facts(output, rate, (width, height), float(info.n_frames / fps), info.n_frames)
    except BaseException:
        output.unlink(missing_ok=True)
        raise


def _facts(path: Path, rate: Fraction, size: tuple[int, int], duration_s: float, n_frames: int) -> VideoFacts:
    content = read_gif(path)
    n = len(content.delays)
    found_s = sum(content.delays) / 100
    count_fits = n == n_frames or rate == MAX_FPS
    if (content.width, content.height) != size or not count_fits or abs(found_s - duration_s) > 0.011:
        raise EngineOutputError(
            f"{path.name}: {n} frames of {content.width} x {content.height} pixels in {found_s:g} s; "
            f"expected {n_frames} of {size[0]} x {size[1]} in {duration_s:g} s"
        )
    return VideoFacts(n, content.width, content.height, *content_facts(path), rate, found_s)


def read_gif(path: Path) -> GifContent:
    """Read the blocks of a GIF without decoding pixels. Raises EngineOutputError if they are malformed."""
    delays: list[int] = []
    delay = 0
    with path.open("rb") as file:
        header = _exactly(file, _HEADER_BYTES, path)
        width, height = (int.from_bytes(header[i : i + 2], "little") for i in (6, 8))
        _skip_colours(file, header[10])
        while (kind := _exactly(file, 1, path)[0]) != _TRAILER:
            if kind == _EXTENSION:
                label = _exactly(file, 1, path)[0]
                first = _skip_blocks(file, path)
                delay = int.from_bytes(first[1:3], "little") if label == _GRAPHIC_CONTROL else delay
            elif kind == _IMAGE:
                _skip_colours(file, _exactly(file, 9, path)[8])
                _exactly(file, 1, path)  # LZW code size
                _skip_blocks(file, path)
                delays.append(delay)
            else:
                raise EngineOutputError(f"{path.name}: no GIF, or a damaged one (block 0x{kind:02x})")
    return GifContent(width, height, tuple(delays))


def _skip_colours(file: BinaryIO, packed: int) -> None:
    """Skip the colour table that the packed fields announce: 2^(n + 1) colours if their top bit is set."""
    if packed & 0x80:
        file.seek(3 << ((packed & 7) + 1), 1)


def _skip_blocks(file: BinaryIO, path: Path) -> bytes:
    """Skip a chain of sub-blocks; return the first one."""
    first = b""
    while length := _exactly(file, 1, path)[0]:
        block = _exactly(file, length, path)
        first = first or block
    return first


def _exactly(file: BinaryIO, n: int, path: Path) -> bytes:
    data = file.read(n)
    if len(data) < n:
        raise EngineOutputError(f"{path.name}: the GIF ends early")
    return data
