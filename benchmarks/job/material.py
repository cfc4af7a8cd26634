"""What the jobs work on: portraits and performances made by code, none of them downloaded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import skimage.data

from lp_ray.acting.film import film_performance
from lp_ray.contract.manifest import check_manifest
from lp_ray.media.images import write_image

FPS = Fraction(25)
ACTS = ("talk", "nod_and_shake", "expressions")


def make_sources(folder: Path, count: int) -> pa.Table:
    """Write `count` portraits of 512 x 512, each a little darker than the one before, and return their manifest."""
    rows = []
    for i in range(count):
        path = folder / f"portrait{i}.png"
        write_image(path, (skimage.data.astronaut() * (1 - 0.5 * i / count)).astype(np.uint8))
        rows.append({"uri": str(path), "source_id": path.stem})
    return check_manifest(pa.Table.from_pylist(rows), "source", where="the benchmark's sources")


def make_drivings(folder: Path, count: int, n_frames: int) -> pa.Table:
    """Film `count` performances of 512 x 512, no two alike, and return their manifest."""
    rows = []
    for i in range(count):
        path = folder / f"act{i}.mp4"
        film_performance(path, ACTS[i % len(ACTS)], skimage.data.astronaut(), FPS, n_frames + i, sound=False)
        rows.append({"uri": str(path), "driving_id": path.stem})
    return check_manifest(pa.Table.from_pylist(rows), "driving", where="the benchmark's drivings")
