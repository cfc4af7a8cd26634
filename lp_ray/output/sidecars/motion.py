"""Sidecar `motion`: the motion that the engine was asked to show, in one safetensors file per pair.

The arrays are those of `lp_ray.engine.protocol.Frames.facts`: faces x n_frames x .... The file's metadata holds `fps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import safetensors.numpy

from lp_ray.base.errors import EngineOutputError
from lp_ray.output.sidecars.protocol import ChunkFacts


class Motion:
    """Implements `lp_ray.output.sidecars.protocol.Sidecar`."""

    suffix = ".safetensors"

    def write_part(self, path: Path, chunk: ChunkFacts) -> None:
        safetensors.numpy.save_file({name: np.ascontiguousarray(rows) for name, rows in chunk.facts.items()}, path)

    def join(self, parts: Sequence[Path], output: Path, n_frames: int, fps: Fraction) -> None:
        chunks = [safetensors.numpy.load_file(part) for part in parts]
        whole = {name: np.concatenate([chunk[name] for chunk in chunks], axis=1) for name in chunks[0]}
        if wrong := [name for name, rows in whole.items() if rows.shape[1] != n_frames]:
            raise EngineOutputError(f"{wrong[0]}: facts of {whole[wrong[0]].shape[1]} frames, not {n_frames}")
        safetensors.numpy.save_file(whole, output, {"fps": str(fps)})


SIDECAR = Motion()
