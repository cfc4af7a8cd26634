"""A persistent child process that answers requests. If it dies, the parent learns how, and can start a new one."""

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
"""Signals that a process causes itself. Other signals come from outside, so the child's input is not to blame."""

_PIPE_BYTES = 1 << 20
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")


class ChildDiedError(Exception):
    """The child process ended during a request. `code` is that of `Popen.returncode`."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(describe_end(code))

    @property
    def crashed(self) -> bool:
        """Whether the child caused its own death; False if it was ended from outside or the reason is unknown."""
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
    """Limit a child's address space and CPU seconds. Above the CPU limit, it gets SIGXCPU, then SIGKILL."""
    with contextlib.suppress(OSError, ValueError):  # the child may be gone already
        if max_bytes is not None:
            resource.prlimit(pid, resource.RLIMIT_AS, (int(max_bytes), int(max_bytes)))
        if cpu_s is not None:
            seconds = max(1, round(cpu_s))
            resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds + 5))


@dataclass(frozen=True)
class Kind:
    """How to start a child. `target` is `module:function` (see `serve`). A `bare` child gets few variables.

    So a bare child has no credentials. `max_bytes` limits its address space, `max_reply` the arrays of an answer in
    bytes.
    """

    target: str
    bare: bool
    max_bytes: int | None = None
    max_reply: int = 1 << 31


class Child:
    """One child process. It starts at the first request and lives until it dies, hangs or is closed. For one thread."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: Message, timeout_s: float | None = None) -> Iterator[Message]:
        """Yield the answers to a request. Each must come within `timeout_s`.

        After an exhausted iterator, the child is ready for the next request. Closing the iterator early ends the child.
        Raises ChildDiedError, TimeoutError (the child was killed) or ForgedMessageError.
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
        """End the child process, if it runs."""
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
            self.close()  # it died while idle, so no input is to blame
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
    """Return the child's environment. It finds the same packages as its parent."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ} if bare else dict(os.environ)
    if bare:  # numpy's idle threads would use up its address space
        kept |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    root = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join([root, *(os.path.abspath(entry) for entry in sys.path)])  # noqa: PTH100
    return kept


__all__ = ["CRASHES", "Child", "ChildDiedError", "ForgedMessageError", "Kind", "bound", "describe_end"]
