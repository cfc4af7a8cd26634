"""Peak memory of every process of a job, for a short and a long driving: prints megabytes and their ratio.

The figure is a process's unique memory (USS): its private pages, without those of Ray's object store, which is shared
and bounded by Ray. Ray's own services are printed for their size, not judged.
Run from the repository root: python -m benchmarks.memory
"""

from __future__ import annotations

import argparse
import itertools
import re
import subprocess
import sys
import time
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg
import psutil
import skimage.data

from lp_ray.media.images import write_image
from lp_ray.performance.film import film_performance

FPS = Fraction(25)
ACT_S = 10
TICK_S = 0.05
TICKS_A_ROUND = 10
"""Tasks that finish a pair live for a moment and are looked at every tick, the others once a round."""
OBJECT_STORE = "/dev/shm"  # noqa: S108 - a prefix of mappings, nothing is written there
RAYS = "Ray's"
SHORT_LIVED = "task"
OURS = dict.fromkeys(("TrackClips", "ExtractMotion", "CropSources", "AnimatePairs", "WriteSegments"), "actor")
OURS |= dict.fromkeys(("finalize_template", "finalize_pair"), SHORT_LIVED)
ROLE = re.compile(r"ray::(?:MapWorker\()?(?:MapBatches\()?([A-Za-z_]+)")


def make_driving(path: Path, act: Path, seconds: int) -> None:
    """Write a 1920 x 1080 clip of some length: one performance, again and again."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-stream_loop", "-1", "-i", str(act)]
    command += ["-t", str(seconds), "-vf", "scale=1080:1080,pad=1920:1080:-1:-1"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "23", "-c:a", "copy", str(path)]
    subprocess.run(command, check=True)  # noqa: S603 - our own arguments


def role(process: psutil.Process) -> str | None:
    """Return what a process does in the job; None for Ray's idle ones and for what is no part of it."""
    command = process.cmdline()
    if not command:
        return None
    if found := ROLE.match(command[0]):
        return None if found[1] == "IDLE" else f"{OURS.get(found[1], RAYS)} {found[1]}"
    name = Path(command[0]).name
    if name in ("raylet", "gcs_server") or "ffmpeg" in name:
        return "ffmpeg" if "ffmpeg" in name else f"{RAYS} {name}"
    return None


def unique_bytes(process: psutil.Process) -> int:
    """Return the private bytes of a process outside the object store."""
    maps = process.memory_maps(grouped=True)
    return sum(m.private_clean + m.private_dirty for m in maps if not m.path.startswith(OBJECT_STORE))


def watch(command: list[str]) -> tuple[dict[str, int], int]:
    """Run a job; return each role's peak of one process's unique memory, and the job's exit code."""
    peaks: dict[str, int] = defaultdict(int)
    job = psutil.Popen(command, stdout=subprocess.DEVNULL)
    processes: list[psutil.Process] = []
    for tick in itertools.count():
        if job.poll() is not None:
            return dict(peaks), int(job.wait() or 0)
        whole_round = tick % TICKS_A_ROUND == 0
        if whole_round:
            processes = [job, *job.children(recursive=True)]
        for process in processes:
            try:
                name = "driver" if process.pid == job.pid else role(process)
                if name and (whole_round or name.startswith(SHORT_LIVED)):
                    peaks[name] = max(peaks[name], unique_bytes(process))
            except psutil.Error:  # it ended between the list and the look
                continue
        time.sleep(TICK_S)
    raise AssertionError("unreachable")


def measure(folder: Path, act: Path, source: Path, seconds: int, settings: list[str]) -> dict[str, int]:
    """Animate one picture by a driving of `seconds`; return the peaks."""
    driving = folder / f"{seconds}s.mp4"
    make_driving(driving, act, seconds)
    output = folder / f"out{seconds}"
    arguments = [f"source={source}", f"driving={driving}", f"output={output}", *settings]
    started = time.perf_counter()
    peaks, code = watch([sys.executable, "-m", "jobs.animate", *arguments])
    if code:
        raise SystemExit(f"the job of {seconds} s ended with exit code {code}")
    print(f"{seconds} s of driving, {seconds * FPS} frames of 1920 x 1080: {time.perf_counter() - started:.0f} s")
    return peaks


def main() -> int:
    """Print one line per role; 1 if one of ours grew by more than `--tolerance`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=60, help="seconds of the short driving")
    parser.add_argument("--long", type=int, default=600, help="seconds of the long driving")
    parser.add_argument("--tolerance", type=float, default=0.10)
    parser.add_argument("settings", nargs="*", help="settings of jobs.animate, key=value")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="lp_ray-memory-") as name:
        folder = Path(name)
        act, source = folder / "act.mp4", folder / "source.png"
        film_performance(act, "talk", skimage.data.astronaut(), FPS, ACT_S * int(FPS), sound=True)
        write_image(source, skimage.data.astronaut())
        short = measure(folder, act, source, given.short, given.settings)
        long = measure(folder, act, source, given.long, given.settings)
    print(f"\n{'process':34} {given.short:>6} s {given.long:>6} s   ratio  (peak USS, MB)")
    grown = False
    for name in sorted(short | long):
        before, after = short.get(name, 0), long.get(name, 0)
        ratio = after / before if before else float("nan")
        grown |= ratio > 1 + given.tolerance and not name.startswith(RAYS)
        print(f"{name:34} {before / 1e6:8.0f} {after / 1e6:8.0f} {ratio:7.2f}")
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
