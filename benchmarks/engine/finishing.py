"""`python -m benchmarks.engine.finishing device=cuda`: paste-back and yuv420p, on the device against on a core.

On a core: `PasteBack` and ffmpeg's conversion, which is what the job does, and x264, whose cost depends on the
pictures. On the device: `PasteBackOnDevice` and `to_yuv420p`, from frames that lie there to planes on the host. Needs
OpenCV and imageio-ffmpeg beside torch.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lp_ray.base.arrays import Image, Matrix
from lp_ray.contract.options import PairOptions
from lp_ray.engine.liveportrait.placement import choose_device
from lp_ray.face.crop import Rectangle, invert
from lp_ray.face.paste_back import CROP_SIZE, PasteBack
from lp_ray.face.paste_on_device import PasteBackOnDevice, pictures_of
from lp_ray.media import ffmpeg
from lp_ray.media.encode import encode_segment, raw_input, to_bt709
from lp_ray.media.yuv_on_device import to_yuv420p

from .arguments import measure
from .operations import synchronize

Row = dict[str, Any]

# Picture height and width, side of the crop in the picture, its angle in radians.
CASES = ((1280, 720, 500, 0.1), (720, 1280, 1000, -0.1), (1080, 1920, 700, 0.2))


@dataclass(frozen=True)
class FinishingBench:
    """What is measured: `frames` at a time, the best of `rounds`."""

    device: str = "cpu"
    frames: int = 32
    rounds: int = 5
    preset: str = PairOptions().preset
    engine_fps: float = 360.0
    """Frames a second of the engine that cores are to keep up with: an H200's in bfloat16."""


def run(bench: FinishingBench) -> Row:
    """Measure each case, and compare the planes. Raises RefusedError for a device that is not there."""
    cv2.setNumThreads(1)
    device = choose_device(bench.device)
    return {**vars(bench), "rows": [_case(bench, device, *case) for case in CASES]}


def _case(bench: FinishingBench, device: torch.device, height: int, width: int, side: float, angle: float) -> Row:
    noise = np.random.default_rng(0)
    source = cv2.GaussianBlur(noise.integers(0, 256, (height, width, 3), np.uint8), (0, 0), 2).astype(np.uint8)
    frames = noise.integers(0, 256, (bench.frames, CROP_SIZE, CROP_SIZE, 3), np.uint8)
    matrix = invert(Rectangle((width / 2, height / 2), side, angle).to_crop(CROP_SIZE))
    there = torch.from_numpy(frames).to(device)
    pasted, paste_s = _timed(lambda: _on_a_core(source, matrix, frames), bench.rounds, device)
    planes, planes_s = _timed(lambda: _by_ffmpeg(pasted), bench.rounds, device)
    moving = np.stack([np.roll(source, 3 * i, axis=1) for i in range(bench.frames)])
    encode_s = min(_encoded(moving, bench.preset) for _ in range(bench.rounds))
    made, device_s = _timed(lambda: _on_the_device(source, matrix, there), bench.rounds, device)
    return {
        "size": f"{width} x {height}",
        "paste_ms": 1e3 * paste_s / bench.frames,
        "planes_ms": 1e3 * planes_s / bench.frames,
        "encode_ms": 1e3 * encode_s / bench.frames,
        "cores": bench.engine_fps * (paste_s + encode_s) / bench.frames,
        "device_ms": 1e3 * device_s / bench.frames,
        "bytes_a_frame": made.shape[1],
        "largest_difference": int(np.abs(made.astype(np.int16) - planes).max()),
    }


def _on_a_core(source: Image, matrix: Matrix, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    paste, pictures = PasteBack(source.shape[:2], matrix), np.repeat(source[None], len(frames), 0)
    for frame, picture in zip(frames, pictures, strict=True):
        paste.blend(frame, picture)
    return pictures


def _by_ffmpeg(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    n, height, width = pictures.shape[:3]
    words = [*raw_input(width, height, Fraction(25)), *to_bt709("yuv420p"), "-threads", "1", "-f", "rawvideo", "-"]
    command = [ffmpeg.executable(), "-loglevel", "error", *words]
    done = subprocess.run(command, input=pictures.tobytes(), capture_output=True, check=True)  # noqa: S603 - a fixed command
    return np.frombuffer(done.stdout, np.uint8).reshape(n, -1)


def _encoded(pictures: NDArray[np.uint8], preset: str) -> float:
    """Return the seconds that one thread takes to encode pictures, conversion included."""
    with TemporaryDirectory() as folder:
        started = time.perf_counter()
        encode_segment(Path(folder) / "encoded.mp4", pictures, Fraction(25), PairOptions().crf, preset)
        return time.perf_counter() - started


def _on_the_device(source: Image, matrix: Matrix, frames: Tensor) -> NDArray[np.uint8]:
    pictures = pictures_of(source, len(frames), frames.device)
    PasteBackOnDevice(source.shape[:2], matrix, frames.device).blend(frames, pictures)
    planes: NDArray[np.uint8] = to_yuv420p(pictures).cpu().numpy()
    return planes


def _timed(call: Callable[[], NDArray[np.uint8]], rounds: int, device: torch.device) -> tuple[NDArray[np.uint8], float]:
    """Return the result, and the seconds of the quickest of `rounds` calls, after one that is not measured."""
    result, times = call(), []
    for _ in range(rounds):
        synchronize(device)
        started = time.perf_counter()
        result = call()
        synchronize(device)
        times.append(time.perf_counter() - started)
    return result, min(times)


def table(report: Row) -> str:
    """Return the report as a table in Markdown."""
    lines = [
        "| picture | a core: paste-back, ms a frame | a core: to yuv420p | "
        f"a core: encoding, {report['preset']} | cores for {report['engine_fps']:g} frames/s | "
        f"{report['device']}: both, and down | MB a frame down | apart by at most |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['size']} | {row['paste_ms']:.2f} | {row['planes_ms']:.2f} | {row['encode_ms']:.2f} | "
        f"{row['cores']:.1f} | {row['device_ms']:.3f} | "
        f"{row['bytes_a_frame'] / 1e6:.2f} | {row['largest_difference']} |"
        for row in report["rows"]
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    measure(FinishingBench, run, table)
