"""Show progress: as a bar in a terminal, as plain lines or JSON lines elsewhere."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Never, TextIO

from tqdm import tqdm

from lp_ray import storage
from lp_ray.base.errors import RefusedError
from lp_ray.contract.result_schema import DONE, FILTERED
from lp_ray.coordinator.reporting import Progress, Reporter, Summary
from lp_ray.output.results import ResultRow

LINE_EVERY_S = 10.0
LEAST_S = 1.0
"""A rate over less than that says nothing."""

SHOWN_FAILURES = 10


class TerminalBar:
    """One bar per phase: pairs or clips done and failed, frames per second, time left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[Never] | None = None
        self._phase = ""
        self._begun = time.monotonic()

    def update(self, progress: Progress) -> None:
        if self._bar is None or self._phase != progress.phase:
            self._close()
            self._phase, begun = progress.phase, self._begun
            self._bar = tqdm(total=progress.total, desc=progress.phase, file=self._stream, unit="", leave=True)
            self._bar.start_t -= time.monotonic() - begun  # the first unit took time too
        self._bar.n = progress.settled
        self._bar.total = progress.total
        elapsed = self._bar.format_dict["elapsed"]
        rate = f", {progress.frames / elapsed:.1f}/s" if elapsed >= LEAST_S else ""
        self._bar.set_postfix_str(f"{progress.failed} failed, {progress.frames} frames{rate}", refresh=False)
        self._bar.refresh()
        if self._bar.n >= progress.total:
            self._close()

    def note(self, text: str) -> None:
        tqdm.write(text, file=self._stream)

    def settled(self, row: ResultRow) -> None:
        """Do nothing: the bar shows counts only."""

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar, self._begun = None, time.monotonic()


class PlainLines:
    """One line every few seconds, for logs."""

    def __init__(self, stream: TextIO, every_s: float = LINE_EVERY_S) -> None:
        self._stream = stream
        self._every = every_s
        self._phase = ""
        self._started = self._last = time.monotonic()
        self._closed = False

    def update(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.phase != self._phase:
            # a phase began when the one before ended: its first unit took time too
            self._phase, self._started, self._last, self._closed = progress.phase, self._last, now, False
        ended = progress.settled >= progress.total
        if self._closed or (now - self._last < self._every and not ended):
            return
        self._last, self._closed = now, ended
        self.note(describe(progress, now - self._started))

    def note(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def settled(self, row: ResultRow) -> None:
        """Do nothing: the lines show counts only."""


class JsonLines:
    """One JSON object per line, for log stores: `time`, `event`, and the event's own fields.

    Events: `note` (message), `progress` (phase, counts; every few seconds), `pair` (pair_id, stage, status, ...).
    """

    def __init__(self, stream: TextIO, every_s: float = LINE_EVERY_S) -> None:
        self._stream = stream
        self._every = every_s
        self._shown = ("", 0.0, False)

    def update(self, progress: Progress) -> None:
        phase, last, closed = self._shown
        now, ended = time.monotonic(), progress.settled >= progress.total
        if phase == progress.phase and (closed or (now - last < self._every and not ended)):
            return
        self._shown = (progress.phase, now, ended)
        self._write("progress", **asdict(progress))

    def note(self, text: str) -> None:
        self._write("note", message=text)

    def settled(self, row: ResultRow) -> None:
        """Write how one pair ended; `stage` is where it failed, or the last stage."""
        seconds = {stage: round(spent, 3) for stage, spent in row["seconds"].items() if spent is not None}
        known = {name: row.get(name) for name in ("source_id", "driving_id", "attempts", "n_frames", "error_class")}
        facts = {name: value for name, value in {**known, "error": row.get("error")}.items() if value is not None}
        stage = row.get("stage") or "finalize"
        self._write("pair", pair_id=row["pair_id"], stage=stage, status=row["status"], seconds=seconds, **facts)

    def _write(self, event: str, **facts: Any) -> None:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        print(json.dumps({"time": moment, "event": event, **facts}), file=self._stream, flush=True)


def describe(progress: Progress, elapsed: float) -> str:
    """Return one line: pairs or clips done and failed, the rates, and the time left if it is known."""
    settled = progress.settled
    text = f"{progress.phase}: {settled}/{progress.total} ({progress.failed} failed), {progress.frames} frames"
    if elapsed < LEAST_S:
        return text
    text += f", {progress.frames / elapsed:.1f} frames/s, {settled / elapsed:.2f} {progress.phase}/s"
    left = time_left(progress, elapsed)
    return text if left is None else f"{text}, {left:.0f} s left"


def time_left(progress: Progress, elapsed: float) -> float | None:
    """Return the seconds left at the present rate, by frames if their number is known; None before anything is done."""
    part = (
        progress.frames / progress.total_frames if progress.total_frames else progress.settled / max(progress.total, 1)
    )
    return elapsed * (1 - min(part, 1.0)) / part if part > 0 else None


def make_reporter(log: str = "auto", stream: TextIO | None = None) -> Reporter:
    """Return the reporter for the setting `log` and the type of stream. Raises RefusedError for an unknown setting."""
    stream = stream or sys.stderr
    if log not in ("auto", "json"):
        raise RefusedError(f"log={log!r} must be auto or json")
    if log == "json":
        return JsonLines(stream)
    return TerminalBar(stream) if stream.isatty() else PlainLines(stream)


class Remembering:
    """A reporter that hands everything on, and remembers the first pairs that were not done."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._failures: list[str] = []
        self._n = 0

    def update(self, progress: Progress) -> None:
        self._reporter.update(progress)

    def note(self, text: str) -> None:
        self._reporter.note(text)

    def settled(self, row: ResultRow) -> None:
        self._reporter.settled(row)
        if row["status"] != DONE:
            self._n += 1
            if len(self._failures) < SHOWN_FAILURES:
                self._failures.append(_failure(row))

    def failure_lines(self) -> list[str]:
        """Name the first pairs that were not done, with the reasons, and say how to go on."""
        if not self._failures:
            return []
        more = [f"  … and {self._n - len(self._failures)} more"] if self._n > len(self._failures) else []
        how = "all of them: the rows of results whose status is not done; retry=failed makes failed pairs again"
        return [*self._failures, *more, how]


def reason(row: ResultRow) -> str:
    """Return why a pair was not done: the error's class, if there is one, and its words."""
    return f"{row['error_class']}: {row['error']}" if row["error_class"] else str(row["error"])


def _failure(row: ResultRow) -> str:
    names = " x ".join(storage.name_of(str(row[f"{kind}_uri"] or row[f"{kind}_id"])) for kind in ("source", "driving"))
    return f"  {row['status']}: {names}: {row['stage']}: {reason(row)}"


def summary_lines(summary: Summary, output: str) -> list[str]:
    """Return the outcome of a job in a few lines: counts by status, most frequent errors, where the results are."""
    lines = [
        "pairs: " + ", ".join(f"{n} {status}" for status, n in summary.by_status.items() if n or status != FILTERED),
        f"before: {summary.before.get('done', 0)} done and {summary.before.get('failed', 0)} failed, left as they were",
        f"templates: {summary.templates_made} made, {summary.templates_reused} reused",
        f"frames: {summary.frames} in {summary.seconds:.1f} s",
    ]
    lines += [f"  failed with {error}: {count}" for error, count in list(summary.by_error.items())[:5]]
    lines += [f"  left out by {why}: {count}" for why, count in list(summary.by_filter.items())[:5]]
    if summary.unexpected:
        lines.append(f"unexpected errors: {summary.unexpected}; see traceback_uri in the results, and report them")
    videos, table = storage.shown(f"{output}/videos"), storage.shown(f"{output}/results")
    return [*lines, f"videos:  {videos}", f"results: {table}"]
