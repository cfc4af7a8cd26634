"""Peak memory of every process of a job, by role.

The figure is what is resident of a process's memory without that of Ray's object store, which is shared and bounded
by Ray. Pages of programs and libraries count in full, however many processes share them: what is private of them
depends on who else runs at the moment.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import psutil
import skimage.data

from lp_ray.media.images import write_image
from lp_ray.performance.film import film_performance

FPS = Fraction(25)
ACT_S = 10
"""Seconds of the performance that drivings repeat."""
TICK_S = 0.05
RAYS = "Ray's"
"""What the roles of Ray's own services begin with."""
OURS = dict.fromkeys(
    ("ShelteredTrackClips", "ExtractMotion", "ShelteredCropSources", "AnimatePairs", "WriteSegments"), "actor"
)
OURS |= dict.fromkeys(("finalize_template", "finalize_pair"), "task")
FFMPEG = {"concat": "joins", "pipe:0": "encodes", "rawvideo": "decodes", "framecrc": "finds the sound's place"}
"""A word of its command line -> what it does."""
READER = "lp_ray.isolation.serve"
RESIDENT = re.compile(r"^Rss(?:Anon|File):\s+(\d+) kB", re.MULTILINE)
ROLE = re.compile(r"ray::(?:MapWorker\()?(?:MapBatches\()?([A-Za-z_]+)")


def make_material(folder: Path) -> tuple[Path, Path]:
    """Write a portrait and a performance of ACT_S seconds to `folder`; return their paths."""
    act, source = folder / "act.mp4", folder / "source.png"
    film_performance(act, "talk", skimage.data.astronaut(), FPS, ACT_S * int(FPS), sound=True)
    write_image(source, skimage.data.astronaut())
    return act, source


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
    if READER in command:
        return "child that reads inputs"
    name = Path(command[0]).name
    if "ffmpeg" in name:
        does = (does for word, does in FFMPEG.items() if word in command)
        return f"ffmpeg {next(does, 'reads')}"
    return f"{RAYS} {name}" if name in ("raylet", "gcs_server") else None


def resident_bytes(process: psutil.Process) -> int:
    """Return the resident bytes of a process without shared memory (proc(5), RssAnon and RssFile)."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError as error:
        raise psutil.NoSuchProcess(process.pid) from error
    return sum(int(kilobytes) << 10 for kilobytes in RESIDENT.findall(status))


class Watch:
    """Looks at the processes of a job, tick by tick. `peaks` is each role's peak of one process."""

    def __init__(self, job: psutil.Process) -> None:
        self._job = job
        self.peaks: dict[str, int] = defaultdict(int)

    def look(self) -> None:
        for process in [self._job, *self._job.children(recursive=True)]:
            try:
                name = "driver" if process.pid == self._job.pid else role(process)
                if name is not None:
                    self.peaks[name] = max(self.peaks[name], resident_bytes(process))
            except psutil.Error:  # it ended between the list and the look
                continue


def run_watched(command: list[str]) -> tuple[dict[str, int], int]:
    """Run a job; return each role's peak of one process, and the job's exit code."""
    job = psutil.Popen(command, stdout=subprocess.DEVNULL)
    watch = Watch(job)
    while job.poll() is None:
        watch.look()
        time.sleep(TICK_S)
    return dict(watch.peaks), int(job.wait() or 0)


def animate(source: Path, driving: Path, output: Path, settings: Sequence[str]) -> dict[str, int]:
    """Animate one pair by `jobs.animate`; return the peaks. Raises RuntimeError if the job fails."""
    arguments = [f"source={source}", f"driving={driving}", f"output={output}", *settings]
    peaks, code = run_watched([sys.executable, "-m", "jobs.animate", *arguments])
    if code:
        raise RuntimeError(f"the job of {driving.name} ended with exit code {code}")
    return peaks
