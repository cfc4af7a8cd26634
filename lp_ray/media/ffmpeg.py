"""Run ffmpeg as a child process: an argument list, local files only, limited memory, always ended.

Every child gets `-nostdin` and a protocol whitelist of file and pipe. For inputs that this package did not write, it
also gets a whitelist of the one demuxer that fits the file's first bytes, so that no playlist or script is ever read.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import re
import select
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from lp_ray.base.errors import DecoderCrashedError, DecoderMemoryError, DecoderTimeoutError, InputError
from lp_ray.base.limits import Limits
from lp_ray.isolation.child import bound, describe_end

_MAX_CHILD_BYTES = 16 << 30  # address space of a child that reads this package's own files
# As ffmpeg's log has it: strerror(ENOMEM), and what it says when the stack of one more thread cannot be had.
_NO_MEMORY = ("Cannot allocate memory", "pthread_create() failed")
_NEARLY = 0.95  # ticks are coarse
_PIPE_BYTES = 1 << 20
_STDERR_TAIL = 1 << 16
MARKS = "pipe:marks"
"""Placeholder among the arguments for the pipe that `Child.mark` reads."""
_LOG = re.compile(r"^(?:\[[^\]]* @ 0x[0-9a-f]+\] )*\[(error|fatal)\] (.*)$", re.MULTILINE)


@functools.cache
def executable() -> str:
    """Return the path of the ffmpeg binary in imageio-ffmpeg (or IMAGEIO_FFMPEG_EXE)."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def file_url(path: Path) -> str:
    """Return the path as ffmpeg's `file:` address, so that nothing in the name reads as an option or a protocol."""
    return f"file:{path.absolute()}"


def input_args(path: Path, demuxer: str, *options: str) -> list[str]:
    """Return arguments that open an untrusted local file with one demuxer; `options` go before its `-i`."""
    safe = ["-protocol_whitelist", "file,pipe", "-format_whitelist", demuxer]
    return [*safe, "-threads", "1", *options, "-i", file_url(path)]


def _command(args: Sequence[str], loglevel: str) -> list[str]:
    return [executable(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", f"level+{loglevel}", *args]


class Child:
    """A running ffmpeg. As a context manager, it kills the process at the end.

    `args` follow the common options. Read stdout with `read_into` or `lines`, or not at all. A `fed` child takes its
    input from `write`, until `end`. `limits` limit the memory and CPU time of a child that decodes an input; without
    them, `bounded` limits its address space to 16 GiB. If MARKS is among `args`, `mark` reads the lines written there.
    """

    def __init__(
        self,
        args: Sequence[str],
        loglevel: str = "error",
        fed: bool = False,
        bounded: bool = True,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._marks, marks = os.pipe() if MARKS in args else (-1, -1)
        self._unread = b""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                _command([f"pipe:{marks}" if arg == MARKS else arg for arg in args], loglevel),
                stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._log,
                bufsize=0,
                pass_fds=(marks,) if marks >= 0 else (),
            )
        except BaseException:
            self._close_marks()
            self._log.close()
            raise
        finally:
            if marks >= 0:
                os.close(marks)
        if limits is not None:
            bound(self._process.pid, limits.decoder_bytes, limits.decoder_cpu_s)
        elif bounded:
            bound(self._process.pid, _MAX_CHILD_BYTES)
        assert self._process.stdout is not None
        self._fd = self._process.stdout.fileno()
        with contextlib.suppress(OSError):  # the user's pipe allowance may be used up
            fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read_into(self, buffer: memoryview, timeout_s: float) -> int:
        """Fill `buffer` from stdout; return the number of bytes read, which is less than its length only at the end.

        Raises DecoderTimeoutError if it is not full after `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        filled = 0
        while filled < len(buffer):
            _await(self._fd, deadline, timeout_s)
            n = os.readv(self._fd, [buffer[filled:]])
            if n == 0:
                break
            filled += n
        return filled

    def mark(self, timeout_s: float) -> str | None:
        """Return the next line written to MARKS, None at the end. Raises DecoderTimeoutError."""
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._unread:
            _await(self._marks, deadline, timeout_s)
            block = os.read(self._marks, 4096)
            if not block:
                return None
            self._unread += block
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode("ascii", "replace")

    def lines(self, timeout_s: float) -> Iterator[str]:
        """Yield the lines of stdout. `timeout_s` as in `read_into`, for every 4 KiB."""
        block = memoryview(bytearray(4096))
        rest = b""
        while n := self.read_into(block, timeout_s):
            *whole, rest = (rest + bytes(block[:n])).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace")

    def write(self, data: memoryview, timeout_s: float) -> None:
        """Write bytes to stdin. Raises BrokenPipeError if the child ended, TimeoutError if it does not read."""
        assert self._process.stdin is not None
        fd = self._process.stdin.fileno()
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        while len(data):
            if not poll.poll(timeout_s * 1000):
                raise TimeoutError(f"ffmpeg took no input for {timeout_s:g} s")
            data = data[os.write(fd, data) :]

    def end(self) -> None:
        """Close stdin, to say that no more input comes."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self, timeout_s: float) -> int:
        """Wait for the end; return the exit status. Raises DecoderTimeoutError after `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise DecoderTimeoutError(f"ffmpeg did not end within {timeout_s:g} s and was stopped") from error

    def check_end(self, timeout_s: float) -> None:
        """Wait for a decoder to end. Raises DecoderCrashedError, DecoderMemoryError or DecoderTimeoutError."""
        spent_s = self._cpu_spent(timeout_s)
        code, reasons = self.wait(timeout_s), errors_in(self.log())
        if self._limits is not None and code != 0 and spent_s >= self._limits.decoder_cpu_s * _NEARLY:
            raise DecoderTimeoutError(
                f"the decoder used more than {self._limits.decoder_cpu_s:g} s of CPU (limits.decoder_cpu_s)"
            )
        if self._limits is not None and any(words in reason for reason in reasons for words in _NO_MEMORY):
            raise DecoderMemoryError(
                f"decoding it takes more than {self._limits.decoder_bytes:,} bytes of memory (limits.decoder_bytes)"
            )
        if code < 0:
            raise DecoderCrashedError(f"the decoder {describe_end(code)} while it read this file")

    def _cpu_spent(self, timeout_s: float) -> float:
        """Return the CPU seconds of the ended child. They are needed because ffmpeg handles SIGXCPU as a normal request
        to end."""
        deadline = time.monotonic() + timeout_s
        pid, ended = self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT
        while self._process.returncode is None and os.waitid(os.P_PID, pid, ended) is None:
            if time.monotonic() > deadline:
                return 0.0
            time.sleep(0.005)
        try:  # proc(5): the name in brackets may hold anything; utime and stime are the fields 14 and 15
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def has_logged(self) -> bool:
        """Return whether the child has written to stderr so far."""
        return os.fstat(self._log.fileno()).st_size > 0

    def log(self, head: bool = False) -> str:
        """Return what the child wrote to stderr so far: its last 64 KiB, or its first if `head`."""
        size = os.fstat(self._log.fileno()).st_size
        start = 0 if head else max(0, size - _STDERR_TAIL)
        return os.pread(self._log.fileno(), _STDERR_TAIL, start).decode("utf-8", "replace")

    def close(self) -> None:
        """Kill the child if it still runs, and free its resources. Safe to call twice."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._close_marks()
        self._log.close()

    def _close_marks(self) -> None:
        if self._marks >= 0:
            os.close(self._marks)
        self._marks = -1


def _await(fd: int, deadline: float, timeout_s: float) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLIN | select.POLLHUP)
    wait_ms = (deadline - time.monotonic()) * 1000
    if wait_ms <= 0 or not poll.poll(wait_ms):
        raise DecoderTimeoutError(f"the decoder gave nothing for {timeout_s:g} s and was stopped")


def raw_bytes(picture: NDArray[np.uint8]) -> memoryview:
    """Return the pixels of an array as flat bytes, without a copy if the array is contiguous."""
    return memoryview(np.ascontiguousarray(picture).reshape(-1))  # type: ignore[arg-type] # numpy's are buffers


def errors_in(log: str) -> list[str]:
    """Return the messages of level error and fatal in a log, without addresses and prefixes."""
    return [text for _, text in _LOG.findall(log)]


def run(args: Sequence[str], timeout_s: float, what: str) -> None:
    """Run ffmpeg to its end on files of this package. Raises InputError with `what` and ffmpeg's reason."""
    with Child(args) as child:
        if child.wait(timeout_s) != 0:
            _raise_failure(what, child.log())


def _raise_failure(what: str, log: str) -> NoReturn:
    reasons = errors_in(log) or ["no reason given"]
    raise InputError(f"{what}: ffmpeg failed: {'; '.join(reasons[:3])}")


def feed(
    args: Sequence[str], pictures: Iterable[memoryview], timeout_s: float, what: str, bounded: bool = True
) -> None:
    """Run ffmpeg on raw pixels, written to its stdin one picture at a time. Raises InputError as `run` does."""
    with Child(args, fed=True, bounded=bounded) as child:
        try:
            for picture in pictures:
                child.write(picture, timeout_s)
            child.end()
        except BrokenPipeError:
            child.wait(timeout_s)
            _raise_failure(what, child.log())
        except TimeoutError as error:
            raise InputError(f"{what}: {error} and was stopped") from error
        if child.wait(timeout_s) != 0:
            _raise_failure(what, child.log())
