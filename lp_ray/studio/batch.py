"""Jobs that a visitor starts: the command `lp-ray animate` in a child process, so that stop and resume are its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from lp_ray.base.errors import RefusedError

LINES = 60
"""Lines of a job that are shown."""

END_S = 20
"""Seconds in which a job that was asked to end has to."""


_COUNT = re.compile(r"(templates|pairs): (\d+)/(\d+) \((\d+) failed\)")
"""How the command says how far it has come; see jobs/progress.py."""


@dataclass(frozen=True)
class Progress:
    """How far a job has come: of its `phase` (templates, then pairs) so many units of so many, some of them failed."""

    phase: str
    settled: int
    total: int
    failed: int


class BatchJob:
    """One run of the command. Its lines can be read while it runs; `stop` ends it as Ctrl-C would."""

    def __init__(self, arguments: Sequence[str], notes: Sequence[str] = ()) -> None:
        """`notes` are lines that stand before those of the command."""
        self._notes = notes
        self.progress: Progress | None = None
        self._lines: deque[str] = deque(maxlen=LINES)
        self._process = subprocess.Popen(  # noqa: S603 - an argument list, no shell; settings are checked before
            [sys.executable, "-m", "lp_ray", "animate", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    @property
    def text(self) -> str:
        """The last lines, and how it ended if it has."""
        if self.code is not None:
            self._reader.join(5)
        end = [] if self.code is None else [f"ended with exit code {self.code}"]
        return "\n".join([*self._notes, *self._lines, *end])

    def stop(self) -> None:
        """Ask it to end; what is finished stays."""
        if self.code is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self, timeout_s: float) -> int:
        """Wait for its end and return its exit code."""
        return self._process.wait(timeout_s)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line.rstrip())
            if (found := _COUNT.match(line)) is not None:
                settled, total, failed = map(int, found.groups()[1:])
                self.progress = Progress(found[1], settled, total, failed)


class BatchJobs:
    """The jobs of this studio, by the names of their outputs; one at a time for each name."""

    def __init__(self) -> None:
        self._jobs: dict[str, BatchJob] = {}
        self._lock = threading.Lock()

    def start(self, name: str, arguments: Sequence[str], notes: Sequence[str] = ()) -> None:
        """Start a job. Raises RefusedError while another of this name runs."""
        with self._lock:
            self.check_free(name)
            self._jobs[name] = BatchJob(arguments, notes)

    def check_free(self, name: str) -> None:
        """Raise RefusedError while a job of this name runs."""
        running = self._jobs.get(name)
        if running is not None and running.code is None:
            raise RefusedError(f"name={name}: a job of this name is running: stop it, or wait for its end")

    def text(self, name: str) -> str:
        """Return what a job says; nothing if there is none of this name."""
        job = self._jobs.get(name)
        return "" if job is None else job.text

    def progress(self, name: str) -> Progress | None:
        """Return how far a job has come; None if there is none of this name, or it has not said so yet."""
        job = self._jobs.get(name)
        return None if job is None else job.progress

    def stop(self, name: str) -> None:
        """Ask a job to end, if it runs."""
        job = self._jobs.get(name)
        if job is not None:
            job.stop()

    def close(self) -> None:
        """End all jobs, and wait for them: what they have finished stays."""
        for job in self._jobs.values():
            job.stop()
        for job in self._jobs.values():
            try:
                job.wait(END_S)
            except subprocess.TimeoutExpired:
                job.kill()
