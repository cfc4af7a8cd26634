"""Peak memory of every process of a job, for a short and a long driving: prints megabytes and their ratios.

What the figures are, `benchmarks/peaks.py` says. Ray's own services are printed for their size, not judged. The ffmpeg
that joins a video, and the one that looks for the place of the sound, hold the index of an mp4, an entry for each
picture and each packet of sound: they are allowed INDEX_BYTES a minute more.

A peak is a moment's, and ten times as many moments show more of them: the short job is run several times, and what
counts is the highest peak of all.
Run from the repository root: python -m benchmarks.memory
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from .peaks import FPS, RAYS, Peak, Peaks, animate, make_driving, make_material

INDEXED = ("ffmpeg joins", "ffmpeg finds the sound's place")
INDEX_BYTES = 1.5e6


def measure(folder: Path, act: Path, source: Path, seconds: int, runs: int, settings: list[str]) -> Peaks:
    """Animate one picture by a driving of `seconds`, `runs` times; return the peaks."""
    driving = folder / f"{seconds}s.mp4"
    make_driving(driving, act, seconds)
    peaks: Peaks = {}
    for run in range(runs):
        started = time.perf_counter()
        for name, peak in animate(source, driving, folder / f"out{seconds}-{run}", settings).items():
            peaks[name] = peak.or_higher(peaks.get(name, Peak()))
        print(f"{seconds} s of driving, {seconds * FPS} frames of 1920 x 1080: {time.perf_counter() - started:.0f} s")
    return peaks


def cells(before: int, after: int) -> str:
    """Return two peaks of a kind and their ratio, as the columns that `main` heads."""
    ratio = after / before if before else float("nan")
    return f" | {before / 1e6:16.1f} {after / 1e6:7.1f} {ratio:5.2f}"


def main() -> int:
    """Print one line per role; 1 if one of ours grew by more than `--tolerance`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=60, help="seconds of the short driving")
    parser.add_argument("--runs", type=int, default=3, help="runs of the short driving")
    parser.add_argument("--long", type=int, default=600, help="seconds of the long driving")
    parser.add_argument("--tolerance", type=float, default=0.10)
    parser.add_argument("settings", nargs="*", help="settings of jobs.animate, key=value")
    given = parser.parse_args()
    limit = 1 + given.tolerance
    with TemporaryDirectory(prefix="lp_ray-memory-") as name:
        folder = Path(name)
        act, source = make_material(folder)
        short = measure(folder, act, source, given.short, given.runs, given.settings)
        long = measure(folder, act, source, given.long, 1, given.settings)
    kinds = "".join(f" | {kind:>9} {given.short:>4} s {given.long:>5} s ratio" for kind in Peak._fields)
    print(f"\n{'process (peaks in MB)':34}{kinds}")
    grown = False
    for name in sorted(short | long):
        before, after = short.get(name, Peak()), long.get(name, Peak())
        index = INDEX_BYTES * (given.long - given.short) / 60 if name in INDEXED else 0.0
        larger = after.anonymous - index > before.anonymous * limit or after.files > before.files * limit
        larger &= not name.startswith(RAYS)
        grown |= larger
        print(f"{name:34}" + "".join(map(cells, before, after)) + ("  grown" if larger else ""))
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
