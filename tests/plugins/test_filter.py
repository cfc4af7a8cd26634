"""A filter in one file: it leaves out portraits that are darker than its parameter says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from lp_ray.plan.devices import Part
from lp_ray.stages.contract import Bench
from lp_ray.stages.filter import Filter, Verdict
from lp_ray.stages.rows import SourcedSpan

TARGET = "tests.plugins.test_filter:BrightEnough"


class BrightEnough(Filter[SourcedSpan]):
    """Judges the source's crop by its mean."""

    name = "bright_enough"
    after = "source"
    takes = gives = SourcedSpan

    def __init__(self, bench: Bench) -> None:
        self._least = float(bench.settings.parameters(self.name)["least"])  # type: ignore[arg-type]

    def judge(self, row: SourcedSpan) -> Verdict:
        mean = float(row.crops.mean())
        return Verdict(mean >= self._least, mean, f"brightness {mean:.0f} is under {self._least:g}")


def test_a_job_leaves_out_what_a_filter_does_with_reason_and_score(
    run_with: Callable[..., Any],
    bright_and_dark: tuple[str, ...],
    rows: Callable[[], pa.Table],
) -> None:
    """`filtered` is a settled status: no failure, not tried again, and not animated."""
    run = run_with("lp_ray.stages", "bright_enough", TARGET)
    command = ("animate", *bright_and_dark, "stages={bright_enough: {least: 60}}", "runtime=inline")
    ended = run(*command)
    assert ended.code == 0, ended.output
    assert "pairs: 1 done, 0 failed, 1 filtered" in ended.output
    bright, dark = rows().sort_by("source_id").to_pylist()
    assert bright["status"] == "done" and bright["seconds"]["bright_enough"] > 0
    assert (dark["status"], dark["stage"], dark["error_class"]) == ("filtered", "bright_enough", None)
    assert 10 < dark["score"] < 60 and dark["error"] == f"brightness {dark['score']:.0f} is under 60"
    again = run(*command, "retry=failed")
    assert again.code == 0 and "nothing to do" in again.output, "a filtered pair is no failed one"
    other = run(*command, "stages={bright_enough: {least: 5}}")
    assert "pairs: 2 done" in other.output, "another threshold is another question"


def test_a_stage_that_nobody_brings_is_refused(one_pair: tuple[str, ...], run_with: Callable[..., Any]) -> None:
    run = run_with("lp_ray.stages", "bright_enough", TARGET)
    ended = run("animate", *one_pair, "stages=[bright_enouh]")
    assert (
        ended.code == 2
        and "stages='bright_enouh' must be one of filter_source, filter_driving, bright_enough" in ended.output
    )
    assert Part.ENGINE not in BrightEnough.uses
