"""One job per output: real processes, on local files and on a real S3 server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lp_ray import storage
from lp_ray.base.errors import LeaseHeldError, LeaseLostError
from lp_ray.output import lease as leases
from lp_ray.output.lease import LeaseTimes, acquire, current
from tests.running import Spawn, helpers, read_line

FOREVER = LeaseTimes(lease_s=3600)


@pytest.fixture(params=["local", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The lease's folder of an output."""
    root = storage.normalise(str(tmp_path / "out"))
    if request.param == "s3":
        root = f"s3://{request.getfixturevalue('s3_bucket')}/out"
    return storage.join(root, ".lp_ray", "lease")


@pytest.fixture
def start(folder: str) -> Iterator[Spawn]:
    """Starts jobs; those left at the end are killed."""
    with helpers("tests.output.lease_holder") as spawn:

        def job(lease_s: float, wait_s: float = 0, mode: str = "hold", *more: str) -> subprocess.Popen[str]:
            return spawn(folder, str(lease_s), str(wait_s), mode, *more)

        yield job


def ask(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    process.stdin.write("check\n")
    process.stdin.flush()
    return read_line(process)


def seen_from_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Process numbers say nothing across machines: only silence does."""
    monkeypatch.setattr(leases, "_is_gone", lambda holder: False)


def test_a_second_job_stops_and_names_the_living_holder(folder: str, start: Spawn) -> None:
    first = start(12.0)
    assert read_line(first) == "held"
    with pytest.raises(LeaseHeldError, match=rf"process {first.pid} on {socket.gethostname()} .*lease until"):
        acquire(folder)
    assert ask(first).startswith("still held")


def test_a_second_job_that_may_wait_starts_when_the_first_is_done(folder: str, start: Spawn) -> None:
    first = start(12.0)
    assert read_line(first) == "held"
    second = start(12.0, 100)
    assert ask(first) == "still held 1"
    first.communicate()
    assert read_line(second) == "held"
    assert ask(second) == "still held 2"
    holder = current(folder)
    assert holder is not None and holder.pid == second.pid and not holder.released
    second.communicate()
    holder = current(folder)
    assert holder is not None and holder.released
    with acquire(folder) as third:
        third.check()


def test_a_job_killed_on_this_machine_leaves_its_place_at_once(folder: str, start: Spawn) -> None:
    """Its lease would last another hour; its process is known to be gone."""
    first = start(FOREVER.lease_s)
    assert read_line(first) == "held"
    first.kill()  # not reaped: a zombie is dead, too
    with acquire(folder, FOREVER) as lease:
        lease.check()


def test_a_job_killed_elsewhere_leaves_its_place_when_its_lease_ends(
    folder: str, start: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_from_another_machine(monkeypatch)
    first = start(4.0)
    assert read_line(first) == "held"
    first.kill()
    began = time.monotonic()
    with acquire(folder) as lease:
        assert lease.generation == 2
        lease.check()
    assert time.monotonic() - began >= 4.0
    names = {info.uri.rpartition("/")[2] for info in storage.list_files(folder)}
    assert names == {"000000002.json"}


def test_of_many_jobs_after_a_dead_one_each_has_its_turn_alone(folder: str, start: Spawn, tmp_path: Path) -> None:
    """Six processes see the same dead holder at once, and then one another."""
    first = start(20.0)
    assert read_line(first) == "held"
    first.kill()
    log = tmp_path / "log"
    visitors = [start(20.0, 300, "visit", str(log)) for _ in range(6)]
    for visitor in visitors:
        out, _ = visitor.communicate()
        assert visitor.returncode == 0, out
    assert log.read_text().split() == ["in", "out"] * 6


def test_a_job_that_was_paused_past_its_lease_notices_before_it_writes(
    folder: str, start: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_from_another_machine(monkeypatch)
    first = start(2.0)
    assert read_line(first) == "held"
    os.kill(first.pid, signal.SIGSTOP)
    try:
        with acquire(folder, LeaseTimes(lease_s=60)) as lease:
            os.kill(first.pid, signal.SIGCONT)
            assert ask(first).startswith(f"lost {folder}: taken over by process {os.getpid()} on")
            first.communicate()  # and gives nothing back that is not its own
            assert first.returncode == 0
            lease.check()
            assert lease.generation == 2
    finally:
        os.kill(first.pid, signal.SIGCONT) if first.poll() is None else None


def test_a_paused_job_whose_place_nobody_took_competes_for_it_again(folder: str, start: Spawn) -> None:
    """Somebody may just be about to take it: only a new generation settles whose it is."""
    first = start(6.0)
    assert read_line(first) == "held"
    os.kill(first.pid, signal.SIGSTOP)
    time.sleep(6.5)
    os.kill(first.pid, signal.SIGCONT)
    assert ask(first) == "still held 2"
    with pytest.raises(LeaseHeldError):
        acquire(folder)


def test_a_taker_that_comes_so_late_that_all_traces_are_gone_takes_nothing(folder: str) -> None:
    """It saw generation 3 dead and stood still while 4 came and went and 5 took over."""
    me = leases._myself("me", 60.0)
    storage.put_bytes(leases._file(folder, 5), leases._to_bytes(me))
    assert not leases._take(folder, 4, leases._myself("late", 60.0))
    assert leases._generations(folder) == [5]


def test_a_holder_cut_off_from_its_store_stops_the_job(tmp_path: Path) -> None:
    folder = storage.normalise(str(tmp_path / "lease"))
    with acquire(folder, LeaseTimes(lease_s=60)) as lease:
        storage.delete_prefix(folder)  # the disk was swapped, the folder removed: nothing says who holds what
        with pytest.raises(LeaseLostError, match="another job"):
            lease.check()
        with pytest.raises(LeaseLostError):
            lease.check()
    assert storage.list_files(folder) == []


def test_a_file_that_says_nothing_is_a_holder_that_never_beats(tmp_path: Path) -> None:
    folder = storage.normalise(str(tmp_path / "lease"))
    for junk in (b"", b"[]", b'{"holder": 1}', b"\xff"):
        storage.put_bytes(leases._file(folder, 1), junk)
        holder = current(folder)
        assert holder is not None and not holder.released and holder.lease_s == LeaseTimes().lease_s


@pytest.mark.parametrize("times", [{"lease_s": 0}, {"wait_s": -1}])
def test_times_that_make_no_sense_are_refused(times: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="lease_s"):
        LeaseTimes(**times)
