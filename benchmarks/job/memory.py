"""Peak memory of a job's processes against the length of its driving and the frames of a chunk.

Drivings are 1920 x 1080; each combination is one `jobs.animate` of its own. A job's memory goes with the chunk, not
with the clip; `python -m benchmarks.memory` holds it to that for 1 and 10 minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..peaks import RAYS, Peak, animate, make_driving, make_material

Report = dict[str, Any]


@dataclass(frozen=True)
class MemoryBench:
    """Every length of `seconds` with every number of `chunks` (frames)."""

    seconds: tuple[int, ...] = (4, 16)
    chunks: tuple[int, ...] = (8, 32)
    settings: tuple[str, ...] = ("engine=preview",)
    """Of `jobs.animate`."""


def measure_memory(bench: MemoryBench, folder: Path) -> Report:
    """Run every combination; return the peaks in bytes by role."""
    act, source = make_material(folder)
    rows = []
    for seconds in bench.seconds:
        driving = folder / f"{seconds}s.mp4"
        make_driving(driving, act, seconds)
        for chunk in bench.chunks:
            settings = (*bench.settings, f"chunk_frames={chunk}")
            peaks = animate(source, driving, folder / f"out{seconds}-{chunk}", settings)
            rows.append({"seconds": seconds, "chunk_frames": chunk, "peaks": peaks})
    return {"settings": list(bench.settings), "rows": rows}


def memory_lines(report: Report) -> list[str]:
    """Return the table as text: a line for each role of ours, a column for each combination."""
    rows = report["rows"]
    roles = sorted({role for row in rows for role in row["peaks"] if not role.startswith(RAYS)})
    lines = [
        f"(d) peak of one process's anonymous memory, MB, {' '.join(report['settings'])}, driving 1920 x 1080",
        f"  {'driving, chunk':26}" + "".join(f"{row['seconds']:>6} s, {row['chunk_frames']:<3}" for row in rows),
    ]
    for role in roles:
        cells = "".join(f"{row['peaks'].get(role, Peak()).anonymous / 1e6:>12.0f}" for row in rows)
        lines.append(f"  {role:26}{cells}")
    return lines
