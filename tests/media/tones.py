"""Films with several sound tracks, each a tone of its own, and what tone a film has."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np

from lp_ray.media import ffmpeg
from tests.media.cards import make_clip

RATE = 48000


def make_tones(
    path: Path, default: int, languages: tuple[str, ...] = ("eng", "ita", "fra"), pictures: Path | None = None
) -> Path:
    """A clip of 2 s with a sound track per language, of 300, 600, 1200 Hz; one is flagged default.

    It shows cards, or the pictures of a film.
    """
    shown = pictures or make_clip(path.with_name("cards.mp4"), Fraction(25), range(50))
    inputs, maps, flags = [], ["-map", "0:v:0"], []
    for i, language in enumerate(languages):
        inputs += ["-f", "lavfi", "-i", f"sine={300 * 2**i}:d=2:r=48000"]
        maps += ["-map", f"{i + 1}:a"]
        flags += [
            f"-disposition:a:{i}",
            "default" if i == default else "0",
            f"-metadata:s:a:{i}",
            f"language={language}",
        ]
    args = ["-i", ffmpeg.file_url(shown), *inputs, *maps, "-c:v", "copy", "-c:a", "aac", *flags]
    ffmpeg.run([*args, "-y", ffmpeg.file_url(path)], 60, "tones")
    return path


def pitch_of(path: Path) -> float:
    """The strongest frequency of the first track, Hz."""
    command = [ffmpeg.executable(), "-loglevel", "error", "-i", str(path), "-map", "0:a:0"]
    command += ["-f", "f32le", "-ac", "1", "-ar", str(RATE), "-"]
    samples = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.float32)
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * RATE / len(samples))
