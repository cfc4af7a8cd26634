"""Progress in plain lines: what is done, how fast, and how much time is left."""

from __future__ import annotations

import io

from jobs.progress import PlainLines, TerminalBar, describe, make_reporter, summary_lines, time_left
from lp_ray.coordinator.reporting import Progress, Summary

HALF = Progress("pairs", total=10, done=4, failed=1, frames=50, total_frames=100)


def test_a_line_names_counts_rates_and_time_left() -> None:
    assert describe(HALF, 20.0) == "pairs: 5/10 (1 failed), 50 frames, 2.5 frames/s, 0.25 pairs/s, 20 s left"
    assert "left" not in describe(Progress("pairs", 10), 20.0)


def test_time_left_goes_by_units_while_frames_are_unknown() -> None:
    assert time_left(Progress("templates", 4, done=1), 10.0) == 30.0


def test_lines_come_seldom_and_the_last_one_once() -> None:
    out = io.StringIO()
    lines = PlainLines(out, every_s=1e9)
    lines.update(HALF)
    lines.update(HALF)
    assert out.getvalue() == ""
    ended = Progress("pairs", 2, done=2, frames=4)
    lines.update(ended)
    lines.update(ended)
    assert out.getvalue().count("\n") == 1 and "2/2" in out.getvalue()


def test_a_terminal_gets_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    bar = make_reporter(stream=out)
    assert isinstance(bar, TerminalBar) and isinstance(make_reporter(stream=io.StringIO()), PlainLines)
    bar.update(HALF)
    bar.update(Progress("pairs", total=10, done=9, failed=1, frames=100, total_frames=100))
    assert "5/10" in out.getvalue() and "10/10" in out.getvalue() and "1 failed" in out.getvalue()


def test_the_summary_names_counts_errors_and_places() -> None:
    summary = Summary(
        by_status={"done": 3, "failed": 2},
        before={"done": 1, "failed": 4},
        by_error={"NoFaceError": 2},
        templates_made=1,
        frames=9,
        seconds=3.0,
    )
    text = "\n".join(summary_lines(summary, "file:///out"))
    for words in ("3 done, 2 failed", "1 done and 4 failed", "NoFaceError: 2", "/out/videos", "/out/results"):
        assert words in text
    assert summary.failed == 6
