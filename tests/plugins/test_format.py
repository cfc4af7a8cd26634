"""An output format in one file: a film strip, all frames of a pair side by side in one PNG."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from lp_ray.base.arrays import Image
from lp_ray.base.errors import EngineOutputError
from lp_ray.base.limits import OURS
from lp_ray.media.facts import MediaFacts, content_facts
from lp_ray.media.formats.protocol import Encoding
from lp_ray.media.images import read_image, write_image
from lp_ray.media.join import AudioCut
from tests.running import write_manifest

TARGET = "tests.plugins.test_format:FORMAT"
SIDE = 64


class Strip:
    """Implements `lp_ray.media.formats.protocol.OutputFormat`."""

    kind = "strip"
    suffix = segment_suffix = ".png"
    has_sound = False

    def write_segment(self, path: Path, pictures: Iterator[Image], how: Encoding) -> None:
        write_image(path, np.hstack([cv2.resize(picture, (SIDE, SIDE)) for picture in pictures]))

    def join(
        self, segments: Sequence[Path], output: Path, fps: Fraction, n_frames: int, sound: AudioCut | None
    ) -> MediaFacts:
        strip = np.hstack([read_image(segment, OURS) for segment in segments])
        if strip.shape[1] != n_frames * SIDE:
            raise EngineOutputError(f"a strip of {strip.shape[1] / SIDE:g} frames, not {n_frames}")
        write_image(output, strip)
        return MediaFacts(n_frames, strip.shape[1], SIDE, *content_facts(output), fps, float(n_frames / fps))


FORMAT = Strip()


def test_a_job_writes_a_format_that_another_package_brings(
    run_with: Callable[..., Any], one_pair: tuple[str, ...], rows: Callable[[], pa.Table]
) -> None:
    """Joined from several segments, and settled like any other result."""
    run = run_with("lp_ray.formats", "strip", TARGET)
    command = ("animate", *one_pair, "format=strip", "chunk_frames=2", "runtime=inline")
    ended = run(*command)
    assert ended.code == 0, ended.output
    (row,) = rows().to_pylist()
    assert (row["status"], row["kind"], row["n_frames"], row["width"]) == ("done", "strip", 5, 5 * SIDE)
    assert read_image(Path(row["video_uri"].removeprefix("file://")), OURS).shape == (SIDE, 5 * SIDE, 3)
    assert "nothing to do" in run(*command).output


def test_a_format_is_named_in_a_manifest_and_one_that_is_not_there_is_refused(
    run_with: Callable[..., Any], one_pair: tuple[str, ...], astronaut: Path, tmp_path: Path
) -> None:
    run = run_with("lp_ray.formats", "strip", TARGET)
    driving = one_pair[1].removeprefix("driving=")
    tables = {
        "sources": [{"uri": str(astronaut), "source_id": "s"}],
        "drivings": [{"uri": driving, "driving_id": "d"}],
        "pairs": [{"source_id": "s", "driving_id": "d", "format": "stripe"}],
    }
    paths = {name: write_manifest(tmp_path / f"{name}.parquet", table) for name, table in tables.items()}
    ended = run("animate", *(f"{name}={path}" for name, path in paths.items()), "dry_run=true", one_pair[-1])
    assert ended.code == 2, ended.output
    assert (
        "pairs manifest row 0: format='stripe' must be one of auto, mp4, gif, frames, png, webm, mov, strip"
        in ended.output
    )
