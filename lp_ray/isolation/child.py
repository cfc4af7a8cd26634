"""A persistent child process that answers requests; when it dies, its parent learns how, and a new one can start."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lp_ray.isolation.wire import EndOfMessagesError, ForgedMessageError, Message, receive, send

CRASHES = frozenset(
    {*(signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGSYS)}
)
"""Signals that a process brings upon itself; others come from outside and blame nobody."""

_PIPE_BYTES = 1 << 20
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")


class ChildDiedError(Exception):
    """The child ended while it worked on a request; `code` is what `Popen.returncode` says."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(describe_end(code))

    @property
    def crashed(self) -> bool:
        """Whether the child brought it upon itself; else it was ended from outside, or nobody knows."""
        return -self.code in CRASHES


def describe_end(code: int) -> str:
    """Say how a process ended, from its return code.

    >>> describe_end(-11)
    'died of SIGSEGV'
    """
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"was killed ({name}), perhaps for want of memory" if -code == signal.SIGKILL else f"died of {name}"


def bound(pid: int, max_bytes: int | None = None, cpu_s: float | None = None) -> None:
    """Hold a child to an address space and to CPU seconds, over which it gets SIGXCPU, then SIGKILL."""
    with contextlib.suppress(OSError, ValueError):  # the child may be gone already
        if max_bytes is not None:
            resource.prlimit(pid, resource.RLIMIT_AS, (int(max_bytes), int(max_bytes)))
        if cpu_s is not None:
            seconds = max(1, round(cpu_s))
            resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds + 5))


@dataclass(frozen=True)
class Kind:
    """What a child is: `target` is `module:function` (see `serve`); a `bare` one has no environment but its paths.

    A bare child knows no credentials. `max_bytes` bounds its address space, `max_reply` its answers' arrays.
    """

    target: str
    bare: bool
    max_bytes: int | None = None
    max_reply: int = 1 << 31


class Child:
    """One child, alive from the first request on, until it dies, is stuck or is closed. Not for several threads."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: Message, timeout_s: float | None = None) -> Iterator[Message]:
        """Yield the answers to a request, each of which must come within `timeout_s`.

        An exhausted iterator leaves the child ready for the next request; one that is closed early ends it. Raises
        ChildDiedError, TimeoutError (the child was killed) or ForgedMessageError.
        """
        process = self._running()
        assert process.stdin is not None and process.stdout is not None
        whole = False
        try:
            send(process.stdin.fileno(), request)
            while True:
                answer = receive(process.stdout.fileno(), self._kind.max_reply, timeout_s)
                if answer.fields.get("end"):
                    whole = True
                    return
                yield answer
        except (BrokenPipeError, EndOfMessagesError):
            raise ChildDiedError(process.wait()) from None
        finally:
            if not whole:
                self.close()

    def close(self) -> None:
        """End the child, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self.close()  # it died while idle: nobody's fault
        if self._process is None:
            self._process = self._start()
        return self._process

    def _start(self) -> subprocess.Popen[bytes]:
        kind = self._kind
        process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
            [sys.executable, "-P", "-s", "-m", "lp_ray.isolation.serve", kind.target, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if kind.bare else None,
            env=_environment(kind.bare),
            bufsize=0,
        )
        assert process.stdout is not None
        with contextlib.suppress(OSError):  # the user's pipe allowance may be used up
            fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        bound(process.pid, kind.max_bytes)
        return process


def _environment(bare: bool) -> dict[str, str]:
    """The child finds the packages that its parent found."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ} if bare else dict(os.environ)
    if bare:  # numpy's idle threads would use up its address space
        kept |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    root = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join([root, *(os.path.abspath(entry) for entry in sys.path)])  # noqa: PTH100
    return kept


__all__ = ["CRASHES", "Child", "ChildDiedError", "ForgedMessageError", "Kind", "bound", "describe_end"]
