"""Shards work on one output at the same time: no row is lost or doubled, and no pair is made by two jobs."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lp_ray import storage
from lp_ray.engine.factory import EngineSpec
from lp_ray.output import parts as result_parts
from lp_ray.output import results
from lp_ray.output.layout import OutputLayout
from lp_ray.output.occupy import occupy
from lp_ray.plan.settings import Settings
from tests.running import helpers, read_line

Start = Callable[[str, int], "subprocess.Popen[str]"]


@pytest.fixture
def output(tmp_path: Path) -> str:
    return storage.normalise(str(tmp_path / "out"))


@pytest.fixture
def start(output: str) -> Iterator[Start]:
    """Starts jobs on shards; those left at the end are killed."""
    with helpers("tests.output.shard_writer") as spawn:
        yield lambda shard, count: spawn(output, shard, str(count))


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("")
    assert process.returncode == 0


def table_ids(output: str) -> list[str]:
    """Every pair in the table itself, sorted, as often as it stands there."""
    parts = [result_parts.read_part(uri) for uri in result_parts.part_uris(OutputLayout(output))]
    return sorted(pair_id for part in parts for pair_id in part["pair_id"].to_pylist())


def test_shards_write_at_once_and_every_row_stands_once(output: str, start: Start) -> None:
    """Each of three shards merges the small parts of all. In the end, a plain reader sees each pair once."""
    layout, count = OutputLayout(output), 3 * result_parts.MANY
    jobs = [start(f"{i}-of-3", count) for i in range(3)]
    assert [read_line(job) for job in jobs] == ["held"] * 3
    assert [read_line(job) for job in jobs] == ["written"] * 3
    for job in jobs:
        end(job)
    assert table_ids(output) == sorted(f"{i}-of-3-{row}" for i in range(3) for row in range(count))
    assert len(result_parts.part_uris(layout)) <= result_parts.MANY + 1
    assert storage.list_files(layout.all_rows, deep=True) == []


def test_one_shard_is_one_jobs_and_the_whole_or_another_cut_is_nobody_elses(start: Start) -> None:
    """Refused, naming the holder: the same shard, the whole, another number of shards. Not the shard beside it."""
    holder = start("0-of-2", 0)
    assert (read_line(holder), read_line(holder)) == ("held", "written")
    for shard in ("0-of-2", "", "1-of-3"):
        answer = read_line(start(shard, 0))
        assert answer.startswith("refused") and f"held by process {holder.pid}" in answer, (shard, answer)
    beside = start("1-of-2", 0)
    assert read_line(beside) == "held"
    end(holder)
    assert read_line(start("", 0)).startswith("refused"), "the other shard is still at work"
    end(beside)
    assert read_line(start("", 0)) == "held"


def test_what_a_dead_job_left_is_taken_in_by_any_cut_but_not_from_a_living_shard(output: str, start: Start) -> None:
    living = start("1-of-2", 0)
    assert (read_line(living), read_line(living)) == ("held", "written")
    dead = start("0-of-2", 0)
    assert read_line(dead) == "held"
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    for shard in ("0-of-2", "1-of-2", ""):
        row = {"pair_id": f"loose {shard}", "status": "done", "bytes": 1, "finished_at": datetime.now(UTC)}
        results.write_row(OutputLayout(output, "dead", shard), row)
        storage.put_bytes(OutputLayout(output, "dead", shard).segment("pair", 0, "video"), b"1")
    with occupy(Settings(output, f"{output}/templates", EngineSpec("preview"), shard="0-of-2").output_layout):
        assert table_ids(output) == ["loose ", "loose 0-of-2"]
        staged = {info.uri.split("/")[-3] for info in storage.list_files(OutputLayout(output).staging, deep=True)}
        assert staged == {"1-of-2.dead", "dead"}
    end(living)
    with occupy(Settings(output, f"{output}/templates", EngineSpec("preview")).output_layout):
        assert table_ids(output) == ["loose ", "loose 0-of-2", "loose 1-of-2"]
        assert storage.list_files(OutputLayout(output).staging, deep=True) == []
