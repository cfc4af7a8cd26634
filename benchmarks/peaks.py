"""Peak memory of every process of a job, by role.

What a process has to itself (USS), without the pages of Ray's object store, lies between its anonymous pages and these
with all of its files' pages: programs and libraries are private as long as nobody else runs them. Both are looked at.
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
from typing import NamedTuple

import imageio_ffmpeg
import psutil
import skimage.data

from lp_ray.acting.film import film_performance
from lp_ray.media.images import write_image
from lp_ray.runtime.graph import PAIRS, TEMPLATES
from lp_ray.stages.finalize import FINALIZE_PAIR, FINALIZE_TEMPLATE

FPS = Fraction(25)
ACT_S = 10
"""Seconds of the performance that drivings repeat."""
TICK_S = 0.05
RAYS = "Ray's"
"""What the roles of Ray's own services begin with."""
OURS = {stage.__name__: "actor" for graph in (TEMPLATES, PAIRS) for stage in graph.stages}
OURS |= {task.run.__name__: "task" for task in (FINALIZE_TEMPLATE, FINALIZE_PAIR)}
FFMPEG = {"concat": "joins", "pipe:0": "encodes", "rawvideo": "decodes", "framecrc": "finds the sound's place"}
"""A word of its command line -> what it does."""
READER = "lp_ray.isolation.serve"
RESIDENT = re.compile(r"^Rss(Anon|File):\s+(\d+) kB", re.MULTILINE)
ROLE = re.compile(r"ray::(?:MapWorker\()?(?:MapBatches\()?([A-Za-z_]+)")


class Peak(NamedTuple):
    """The most that one process of a role held, bytes."""

    anonymous: int = 0
    files: int = 0
    """Pages of files, shared or not."""

    def or_higher(self, other: Peak) -> Peak:
        """Return the higher figure of each kind."""
        return Peak(max(self.anonymous, other.anonymous), max(self.files, other.files))


Peaks = dict[str, Peak]
"""Role -> its peak."""


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


def resident_bytes(process: psutil.Process) -> Peak:
    """Return what is resident of a process without shared memory (proc(5), RssAnon and RssFile)."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError as error:
        raise psutil.NoSuchProcess(process.pid) from error
    found = {kind: int(kilobytes) << 10 for kind, kilobytes in RESIDENT.findall(status)}
    return Peak(found.get("Anon", 0), found.get("File", 0))


class Watch:
    """Looks at the processes of a job, tick by tick."""

    def __init__(self, job: psutil.Process) -> None:
        self._job = job
        self.peaks: defaultdict[str, Peak] = defaultdict(Peak)

    def look(self) -> None:
        for process in [self._job, *self._job.children(recursive=True)]:
            try:
                name = "driver" if process.pid == self._job.pid else role(process)
                if name is not None:
                    self.peaks[name] = self.peaks[name].or_higher(resident_bytes(process))
            except psutil.Error:  # it ended between the list and the look
                continue


def run_watched(command: list[str]) -> tuple[Peaks, int]:
    """Run a job; return each role's peak of one process, and the job's exit code."""
    job = psutil.Popen(command, stdout=subprocess.DEVNULL)
    watch = Watch(job)
    while job.poll() is None:
        watch.look()
        time.sleep(TICK_S)
    return dict(watch.peaks), int(job.wait() or 0)


def animate(source: Path, driving: Path, output: Path, settings: Sequence[str]) -> Peaks:
    """Animate one pair by `jobs.animate`; return the peaks. Raises RuntimeError if the job fails."""
    arguments = [f"source={source}", f"driving={driving}", f"output={output}", "runtime=ray", *settings]
    peaks, code = run_watched([sys.executable, "-m", "jobs.animate", *arguments])
    if code:
        raise RuntimeError(f"the job of {driving.name} ended with exit code {code}")
    return peaks
