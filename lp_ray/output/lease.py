"""The lease on an output: only one job at a time writes to it, and the lease of a dead job can be taken over.

Each holder has its own generation: a number, and a small file `<generation>.json`. The holder creates this file with
put-if-absent, and only the holder writes to it afterwards. The highest generation is the valid one. Before a job takes
generation N + 1, it must see one of three things: generation N is marked as released; its beat has not changed for the
lease time, measured on the taker's own clock (clocks of different machines are never compared); or its process ran on
this same machine and is gone. If two jobs try to take the same generation, put-if-absent lets only one succeed. After
creating its file, the taker lists the generations again: if a higher one exists, the taker was too late.

The file of the last holder stays, marked as released. If it were deleted, a number could be used twice, and a late
taker could not notice.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from lp_ray import storage
from lp_ray.base.errors import LeaseHeldError, LeaseLostError, LpRayError
from lp_ray.storage.uri import display

_DIGITS = 9
_BEATS = 6
"""How many times per lease time a holder renews its lease."""
_SURE = 2 / 3
"""Share of the lease time after which a holder that could not renew its lease stops relying on it. A write that began
right after a `check` may take the rest of the lease time."""
_MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class LeaseTimes:
    """Times for taking and keeping a lease, in seconds."""

    lease_s: float = 60.0
    """A holder that shows no sign of life for this long counts as dead."""
    wait_s: float = 0.0
    """How long to wait for a living holder. A silent holder is always watched for its lease time."""

    def __post_init__(self) -> None:
        if self.lease_s <= 0 or self.wait_s < 0:
            raise ValueError(f"{self}: lease_s must be above 0, wait_s 0 or more")


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, as its file states. Times of day are for people to read; no decision depends on them."""

    holder: str
    host: str
    pid: int
    process: str
    """The machine's boot id, the pid namespace and the process's start time. Equal texts mean the same process."""
    started: str
    expires: str
    lease_s: float
    beat: int = 0
    released: bool = False

    def describe(self) -> str:
        """Describe the holder for people."""
        return f"process {self.pid} on {self.host} (since {self.started}, lease until {self.expires} unless renewed)"


class Lease:
    """A lease that this process holds. A thread renews it until it is released; as a context manager it releases
    itself."""

    def __init__(self, folder: str, generation: int, me: Holder, confirmed: float) -> None:
        self._folder = folder
        self._generation = generation
        self._me = me
        self._confirmed = confirmed  # start of the last write of a beat that succeeded
        self._lost = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="lease", daemon=True)
        self._thread.start()

    @property
    def generation(self) -> int:
        """The number of this lease. Each holder of an output has a higher number than all holders before it."""
        return self._generation

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def heed(self) -> None:
        """Raise LeaseLostError if a loss was noticed already. Makes no request; may notice a loss one beat late."""
        if self._lost:
            raise LeaseLostError(self._lost)

    def check(self) -> None:
        """Raise LeaseLostError unless the lease is held now. Makes one listing request; call it before writing results.

        A process that was suspended for longer than its lease time learns here that it lost the lease, before it
        writes.
        """
        with self._lock:
            if not self._lost:
                self._look()
            if self._lost:
                raise LeaseLostError(self._lost)

    def release(self) -> None:
        """Give the lease back, so that the next job need not wait. Safe to call twice, and after a loss."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        with self._lock:
            if not self._lost and highest(self._folder) == self._generation:
                self._write(replace(self._me, released=True))

    def _beat_on(self) -> None:
        while not self._stop.wait(self._me.lease_s / _BEATS):
            with self._lock:
                if self._lost:
                    return
                try:
                    self._look()
                    if not self._lost:
                        self._beat()
                except (LpRayError, OSError):  # the next beat may succeed; if none does, check() raises
                    continue

    def _look(self) -> None:
        """Check whether the lease is lost. After a long silence, try to take the next generation, as another job may do
        now."""
        asked = now()
        if highest(self._folder) == self._generation:
            if asked - self._confirmed <= self._me.lease_s * _SURE:
                return
            me = self._renewed()
            if _take(self._folder, self._generation + 1, me):
                self._generation, self._me, self._confirmed = self._generation + 1, me, asked
                return
        successor = current(self._folder)
        name = successor.describe() if successor else "another job"
        self._lost = f"{display(self._folder)}: taken over by {name}: this job was silent for too long, and stops"

    def _beat(self) -> None:
        asked = now()
        self._me = self._renewed()
        self._write(self._me)
        self._confirmed = asked

    def _renewed(self) -> Holder:
        return replace(self._me, beat=self._me.beat + 1, expires=_until(self._me.lease_s))

    def _write(self, holder: Holder) -> None:
        storage.put_bytes(_file(self._folder, self._generation), _to_bytes(holder))


Told = Callable[[Holder], None]


def acquire(folder: str, times: LeaseTimes | None = None, run: str = "", told: Told | None = None) -> Lease:
    """Take the lease whose files lie under `folder` (a normalised URI), as the holder named `run` (a unique text).

    Waits up to `times.wait_s` for a living holder. Watches a silent holder for the lease time that its file states.
    Calls `told` once for each holder that it waits for. Raises LeaseHeldError, which names the holder.
    """
    times, run = times or LeaseTimes(), run or uuid.uuid4().hex
    deadline = now() + times.wait_s
    while True:
        generation = highest(folder)
        if generation:
            _await_end(folder, generation, deadline, told)
        asked, me = now(), _myself(run, times.lease_s)
        if _take(folder, generation + 1, me):
            return Lease(folder, generation + 1, me, asked)


def await_end(folder: str, times: LeaseTimes | None = None, told: Told | None = None) -> None:
    """Return when nobody holds the lease, without taking it. Waits and raises as `acquire` does."""
    deadline = now() + (times or LeaseTimes()).wait_s
    generation, watched = highest(folder), 0
    while generation > watched:
        _await_end(folder, generation, deadline, told)
        generation, watched = highest(folder), generation


def _take(folder: str, generation: int, me: Holder) -> bool:
    """Try to become the holder of a generation. On success, delete the files of earlier generations."""
    if not storage.put_if_absent(_file(folder, generation), _to_bytes(me)):
        there = read_holder(folder, generation)
        if there is None or there.holder != me.holder:  # else the file is ours: the reply to our first attempt was lost
            return False
    if highest(folder) != generation:  # too late: higher generations exist, files in between are deleted
        storage.delete(_file(folder, generation))
        return False
    storage.delete_many(_file(folder, old) for old in _generations(folder) if old < generation)
    return True


def _await_end(folder: str, generation: int, deadline: float, told: Told | None) -> None:
    """Return when the holder of a generation has released it, is dead or was replaced. Raises LeaseHeldError if it
    lives."""
    seen, seen_at = read_holder(folder, generation), now()
    first = seen
    while seen is not None and not seen.released and not _is_gone(seen):
        if now() - seen_at > seen.lease_s:
            return
        if told is not None:
            told(seen)
            told = None
        if seen != first and now() >= deadline:
            raise LeaseHeldError(
                f"{display(folder)}: held by {seen.describe()}; two jobs may not write there at once: wait for it "
                "(on_busy=wait), or choose another output"
            )
        time.sleep(min(1.0, seen.lease_s / _BEATS / 2))
        latest = read_holder(folder, generation)
        if latest != seen:
            seen, seen_at = latest, now()


def current(folder: str) -> Holder | None:
    """Return the last holder of a lease, released or not; None if there never was one."""
    return read_holder(folder, highest(folder))


def check_holder(folder: str, run: str) -> None:
    """Raise LeaseLostError unless `run` holds the lease. For processes that work for the run that took the lease."""
    holder = current(folder) or current(folder)  # read again: its generation may have changed after the listing
    if holder is None or holder.holder != run or holder.released:
        name = holder.describe() if holder else "another job"
        raise LeaseLostError(f"{display(folder)}: taken over by {name}: this job was silent for too long, and stops")


def highest(folder: str) -> int:
    """Return the highest generation, 0 if there is none."""
    return max(_generations(folder), default=0)


def _generations(folder: str) -> list[int]:
    names = [info.uri.rpartition("/")[2].removesuffix(".json") for info in storage.list_files(folder)]
    return [int(name) for name in names if name.isdecimal() and len(name) == _DIGITS]


def read_holder(folder: str, generation: int) -> Holder | None:
    """Return the content of a generation's file; None if the file is gone. An unreadable file counts as a silent
    holder."""
    try:
        fields = json.loads(storage.read_bytes(_file(folder, generation), _MAX_BYTES))
        return Holder(**fields)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return Holder("unknown", "unknown", 0, "", "unknown", "unknown", LeaseTimes().lease_s)


def _file(folder: str, generation: int) -> str:
    return storage.join(folder, f"{generation:0{_DIGITS}d}.json")


def _to_bytes(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode()


def now() -> float:
    """Return seconds of a monotonic clock of this machine, which also runs while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _until(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def _myself(run: str, lease_s: float) -> Holder:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    pid = os.getpid()
    return Holder(run, socket.gethostname(), pid, _process(pid) or "", started, _until(lease_s), lease_s)


def _process(pid: int) -> str | None:
    """Return a text that identifies a process of this machine, even if its pid is reused; None if it does not exist."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = Path("/proc/self/ns/pid").readlink()
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if status[0] in "ZX":  # proc(5): dead, waiting to be reaped
        return None
    return f"{boot} {space} {status[19]}"  # field 22: start time in ticks since boot


def _is_gone(holder: Holder) -> bool:
    """Return whether the holder was a process of this machine that has ended: then there is no need to wait."""
    mine = _process(os.getpid())
    if mine is None or not holder.process or holder.process.split()[:2] != mine.split()[:2]:
        return False  # a process of another machine or container
    return _process(holder.pid) != holder.process
