"""A sidecar in one file: a CSV with the turn of the head that was asked for, a line for each frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from lp_ray.output.sidecars.protocol import ChunkFacts

TARGET = "tests.plugins.test_sidecar:SIDECAR"


class Turns:
    """Implements `lp_ray.output.sidecars.protocol.Sidecar`."""

    suffix = ".csv"

    def write_part(self, path: Path, chunk: ChunkFacts) -> None:
        turn = chunk.facts["rotation"][0]
        degrees = np.degrees(np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1)))
        lines = [f"{chunk.first + i},{value:.4f}\n" for i, value in enumerate(degrees)]
        path.write_text("".join(lines))

    def join(self, parts: Sequence[Path], output: Path, n_frames: int, fps: Fraction) -> None:
        output.write_text("frame,degrees\n" + "".join(part.read_text() for part in parts))


SIDECAR = Turns()


def test_a_job_writes_a_sidecar_that_another_package_brings(
    run_with: Callable[..., Any], one_pair: tuple[str, ...], rows: Callable[[], pa.Table], tmp_path: Path
) -> None:
    """One file for each pair under its key, named in the pair's row, whole however the pair was cut."""
    run = run_with("lp_ray.sidecars", "turns", TARGET)
    ended = run("animate", *one_pair, "sidecars=[turns]", "chunk_frames=2", "runtime=inline")
    assert ended.code == 0, ended.output
    (row,) = rows().to_pylist()
    path = Path(row["turns_uri"].removeprefix("file://"))
    assert path == tmp_path / "out" / "turns" / f"{row['pair_id']}.csv"
    table = pyarrow.csv.read_csv(path)
    assert table["frame"].to_pylist() == list(range(row["n_frames"]))
    assert table["degrees"][0].as_py() == 0.0 and max(table["degrees"].to_pylist()) > 0.0
