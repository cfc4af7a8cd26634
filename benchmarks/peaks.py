"""Peak memory of every process of a job, by role.

The figure is a process's unique memory (USS): its private pages, without those of Ray's object store, which is shared
and bounded by Ray. Anonymous pages, which come and go with every chunk, are looked at every tick; private pages of
files, libraries that do not come and go, once a round. Of ffmpeg, whose program's pages are private or shared as
it happens to run alone or not, the figure is all that is resident: the USS of one that runs alone.
"""

from __future__ import annotations

import itertools
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
TICKS_A_ROUND = 20
OBJECT_STORE = "/dev/shm"  # noqa: S108 - a prefix of mappings, nothing is written there
RAYS = "Ray's"
"""What the roles of Ray's own services begin with."""
OURS = dict.fromkeys(
    ("ShelteredTrackClips", "ExtractMotion", "ShelteredCropSources", "AnimatePairs", "WriteSegments"), "actor"
)
OURS |= dict.fromkeys(("finalize_template", "finalize_pair"), "task")
FFMPEG = {"concat": "joins", "pipe:0": "encodes", "rawvideo": "decodes", "framecrc": "finds the sound's place"}
"""A word of its command line -> what it does."""
READER = "lp_ray.isolation.serve"
ANONYMOUS = re.compile(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)
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


def anonymous_bytes(process: psutil.Process) -> int:
    """Return the resident bytes of a process that belong to no file (proc(5), RssAnon)."""
    try:
        found = ANONYMOUS.search(Path(f"/proc/{process.pid}/status").read_text())
    except OSError as error:
        raise psutil.NoSuchProcess(process.pid) from error
    return int(found[1]) << 10 if found else 0


def file_bytes(process: psutil.Process) -> int:
    """Return the private, unchanged pages of files that a process has in memory, without the object store's."""
    maps = process.memory_maps(grouped=True)
    return sum(m.private_clean for m in maps if m.path.startswith("/") and not m.path.startswith(OBJECT_STORE))


class Watch:
    """Looks at the processes of a job, tick by tick. `peaks` is each role's peak of one process."""

    def __init__(self, job: psutil.Process) -> None:
        self._job = job
        self._files: dict[int, int] = {}
        self.peaks: dict[str, int] = defaultdict(int)

    def look(self, whole_round: bool) -> None:
        for process in [self._job, *self._job.children(recursive=True)]:
            try:
                name = "driver" if process.pid == self._job.pid else role(process)
                if name is not None:
                    self.peaks[name] = max(self.peaks[name], self._bytes(process, name, whole_round))
            except psutil.Error:  # it ended between the list and the look
                continue

    def _bytes(self, process: psutil.Process, name: str, whole_round: bool) -> int:
        if name.startswith("ffmpeg"):
            return int(process.memory_info().rss)
        if whole_round or process.pid not in self._files:
            self._files[process.pid] = file_bytes(process)
        return anonymous_bytes(process) + self._files[process.pid]


def run_watched(command: list[str]) -> tuple[dict[str, int], int]:
    """Run a job; return each role's peak of one process's unique memory, and the job's exit code."""
    job = psutil.Popen(command, stdout=subprocess.DEVNULL)
    watch = Watch(job)
    for tick in itertools.count():
        if job.poll() is not None:
            return dict(watch.peaks), int(job.wait() or 0)
        watch.look(whole_round=tick % TICKS_A_ROUND == 0)
        time.sleep(TICK_S)
    raise AssertionError("unreachable")


def animate(source: Path, driving: Path, output: Path, settings: Sequence[str]) -> dict[str, int]:
    """Animate one pair by `jobs.animate`; return the peaks. Raises RuntimeError if the job fails."""
    arguments = [f"source={source}", f"driving={driving}", f"output={output}", *settings]
    peaks, code = run_watched([sys.executable, "-m", "jobs.animate", *arguments])
    if code:
        raise RuntimeError(f"the job of {driving.name} ended with exit code {code}")
    return peaks
