"""Jobs that are meant to die: started as a user starts them, watched from outside, killed with all their processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.running import REPOSITORY, on_ray

WITHIN_S = 300.0


class Driver:
    """`python -m jobs.<name> key=value …` in its own session. Its output is in `log`."""

    def __init__(self, name: str, arguments: tuple[str, ...], log: Path, environment: dict[str, str]) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"jobs.{name}", *on_ray(name, arguments)],
                cwd=REPOSITORY,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def printed(self) -> str:
        return self.log.read_text(errors="replace")

    def family(self) -> list[psutil.Process]:
        """The driver's process and all below it: its own Ray, the actors, their encoders."""
        try:
            me = psutil.Process(self.process.pid)
            return [me, *me.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def workers(self, stage: str) -> list[psutil.Process]:
        """The actors of a stage, by the names that Ray gives their processes."""
        return [p for p in self.family() if stage in _title(p)]

    def pause_actors(self) -> None:
        """Let all actors and tasks stand still; the driver and Ray itself go on."""
        for process in self.workers("ray::"):
            _signal(process, signal.SIGSTOP)

    def resume_actors(self) -> None:
        for process in self.workers("ray::"):
            _signal(process, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL all of it. Everything stands still before the first dies, so that none tidies up after another."""
        family = self.family()
        for kind in (signal.SIGSTOP, signal.SIGKILL):
            for process in family:
                _signal(process, kind)
        self.process.wait()
        psutil.wait_procs(family[1:], timeout=WITHIN_S / 10)

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Wait until something holds, or the job ends; return whether it holds."""
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            if self.process.poll() is not None:
                return condition()
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.05)
        return True

    def end(self) -> int:
        """Wait for the job's own end and return its exit code."""
        return self.process.wait(WITHIN_S)


@contextmanager
def driver(name: str, *arguments: str, log: Path, **environment: str) -> Iterator[Driver]:
    """Start a job; nothing of it is left at the end of the block."""
    running = Driver(name, arguments, log, environment)
    try:
        yield running
    finally:
        running.kill()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _signal(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
