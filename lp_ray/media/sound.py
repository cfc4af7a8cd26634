"""Add a generated sound track to a video."""

from __future__ import annotations

import wave
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from lp_ray.media import ffmpeg

_TIMEOUT_S = 120.0


def add_sound(video: Path, samples: NDArray[np.int16], sample_rate: int, output: Path) -> None:
    """Write `video` (an mp4) with mono `samples` as AAC to `output`. Raises InputError if ffmpeg fails."""
    with TemporaryDirectory(prefix="lp_ray-sound-") as folder:
        track = Path(folder) / "track.wav"
        with wave.open(str(track), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            file.writeframes(samples.astype("<i2").tobytes())
        args = [*ffmpeg.input_args(video, "mov"), *ffmpeg.input_args(track, "wav")]
        args += ["-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy", "-c:a", "aac", "-movflags", "+faststart"]
        ffmpeg.run([*args, "-f", "mp4", "-y", ffmpeg.file_url(output)], _TIMEOUT_S, f"adding sound to {output.name}")
