"""Worker processes, what becomes of them, and what is kept: a death or a hang of one is seen, named and survived."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.fuzz.kinds import KINDS, case_of, kind_at, kind_of, read_samples
from benchmarks.fuzz.worker import Answer
from lp_ray.isolation.child import describe_end

_ROOT = Path(__file__).resolve().parents[2]
_START_S = 180.0
_GRACE_S = 5.0
"""After the limit the worker says where it stands, before it is ended."""
_MOST_KEPT = 300


@dataclass(frozen=True)
class Plan:
    """What is to be done. `limit_s` bounds one input, `memory` is what the reading process may hold, bytes."""

    n: int = 10_000
    seed: int = 1
    minutes: float = 60.0
    workers: int = 1
    limit_s: float = 120.0
    memory: int = 3 << 30
    first: int = 0
    kinds: Mapping[str, str] = field(default_factory=lambda: dict(KINDS))


@dataclass
class Outcome:
    """Every answer, in no order, and how long it took."""

    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def broken(self) -> list[Answer]:
        """Inputs that broke a rule."""
        return sorted((answer for answer in self.answers if answer.broken), key=lambda answer: answer.index)


def run(plan: Plan, keep: Path) -> Outcome:
    """Make and read all inputs; those that break a rule are kept, each in a folder below `keep`."""
    outcome, started = Outcome(), time.monotonic()
    with TemporaryDirectory(prefix="lp_ray-fuzz-") as folder:
        samples = Path(folder) / "samples"
        for name, where in plan.kinds.items():
            (samples / name).mkdir(parents=True)
            kind_at(where).make_samples(samples / name)
        work = _Work(plan, started + 60 * plan.minutes)
        threads = [
            threading.Thread(target=_serve, args=(plan, work, outcome, Path(folder), i, keep))
            for i in range(plan.workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if work.error is not None:
            raise work.error
    outcome.seconds = time.monotonic() - started
    return outcome


class _Work:
    """Indices, each handed out once, until the time is over."""

    def __init__(self, plan: Plan, deadline: float) -> None:
        self._left = iter(range(plan.first, plan.first + plan.n))
        self._deadline = deadline
        self._lock = threading.Lock()
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[int]:
        while time.monotonic() < self._deadline and self.error is None:
            with self._lock:
                index = next(self._left, None)
            if index is None:
                return
            yield index


def _serve(plan: Plan, work: _Work, outcome: Outcome, folder: Path, number: int, keep: Path) -> None:
    names = list(plan.kinds)
    reader = _Reader(plan, folder, number)
    try:
        for index in work:
            answer = reader.ask(index, kind_of(index, names))
            outcome.answers.append(answer)
            if answer.broken and len(outcome.broken) <= _MOST_KEPT:
                _keep(answer, plan, folder / "samples" / answer.kind, keep)
    except BaseException as error:  # the other threads and the caller are to know
        work.error = error
    finally:
        reader.close()


class _Reader:
    """A worker process, started anew after each death."""

    def __init__(self, plan: Plan, folder: Path, number: int) -> None:
        self._plan = plan
        self._place = folder / f"worker-{number}"
        self._log = folder / f"worker-{number}.log"
        self._samples = folder / "samples"
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, index: int, kind: str) -> Answer:
        process = self._process or self._start()
        assert process.stdin is not None
        self._log.write_bytes(b"")
        started = time.monotonic()
        process.stdin.write(json.dumps({"index": index, "kind": kind}).encode() + b"\n")
        process.stdin.flush()
        line = _line(process, self._plan.limit_s + _GRACE_S)
        if line:
            return Answer(**json.loads(line))
        seconds = time.monotonic() - started
        code = process.poll() if line is None else process.wait()
        answer = Answer(index, kind, "", "hung" if code is None else "died", seconds)
        answer.error = "" if code is None else describe_end(code)
        said = self._log.read_text("utf-8", "replace")[-6000:]
        answer.broken.append(f"{answer.answer}: {answer.error or f'no answer after {seconds:.0f} s'}\n{said}")
        self.close()
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        place = self._place
        for name in ("tmp", "home", "cwd"):
            (place / name).mkdir(parents=True, exist_ok=True)
        config = {"seed": self._plan.seed, "kinds": dict(self._plan.kinds), "samples": str(self._samples)}
        config |= {"place": str(place), "limit_s": self._plan.limit_s, "memory": self._plan.memory}
        known = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH") if name in os.environ}
        homes = {
            "HOME": str(place / "home"),
            "TMPDIR": str(place / "tmp"),
            "LP_RAY_CACHE": str(place / "tmp" / "cache"),
        }
        python = {
            "PYTHONPATH": str(_ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "benchmarks.fuzz.worker", json.dumps(config)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=place / "cwd",
                env=known | homes | python,
                start_new_session=True,
            )
        if _line(self._process, _START_S) != b"ready\n":
            self.close()
            raise RuntimeError(f"a worker did not start: {self._log.read_text('utf-8', 'replace')[-2000:]}")
        return self._process

    def close(self) -> None:
        """End the worker and all that it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _line(process: subprocess.Popen[bytes], timeout_s: float) -> bytes | None:
    """Return the next line of a worker, empty at its end, None if none comes in time."""
    assert process.stdout is not None
    deadline, data = time.monotonic() + timeout_s, b""
    poll = select.poll()
    poll.register(process.stdout.fileno(), select.POLLIN | select.POLLHUP)
    while not data.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        block = os.read(process.stdout.fileno(), 1 << 16)
        if not block:
            return b""
        data += block
    return data


def _keep(answer: Answer, plan: Plan, samples: Path, keep: Path) -> None:
    """Write an input, made again, beside what it did."""
    case = case_of(kind_at(plan.kinds[answer.kind]), read_samples(samples), plan.seed, answer.index)
    answer.how = answer.how or case.how
    rule = answer.broken[0].partition(":")[0].replace(" ", "-")
    folder = keep / f"{answer.kind}-{answer.index:06d}-{rule}"
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in case.files.items():
        path = folder / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    story = [
        f"seed={plan.seed} first={answer.index} n=1",
        case.how,
        f"{case.main!r} {dict(case.about)}",
        *answer.broken,
    ]
    (folder / "story.txt").write_text("\n\n".join(story), "utf-8", "backslashreplace")
